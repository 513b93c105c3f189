// The page at `/`: what there is to try. It brings a stylesheet and an image, so that a browser fetches static
// files too.

const kRoutes = [
  ['/api/data', 'JSON with a strong entity tag from its content and a Last-Modified, fresh for 30 s'],
  ['/page', 'Cache-Control: public, max-age=3600, must-revalidate'],
  ['/news', 'no-cache with an entity tag: stored, validated for each use'],
  ['/plain', 'no validator and no freshness lifetime'],
  ['/static/style.css', 'a static file with Last-Modified and no entity tag'],
  ['/static/freshet.svg', 'an image, the same'],
  ['/redirect/301', 'moved permanently; so are <a href="/redirect/308">308</a>'],
  ['/redirect/302', 'found; <a href="/redirect/307">307</a> keeps the method'],
  ['/slow', 'takes 500 ms, or as long as <code>?ms=</code> says'],
  ['/counter', 'its content changes on POST'],
  ['/_log', 'what this origin saw, by route and status'],
];

export function indexPage() {
  const rows = kRoutes.map(([route, what]) => `      <tr><td><a href="${route}">${route}</a></td><td>${what}</td></tr>`);
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>freshet demo origin</title>
    <link rel="stylesheet" href="/static/style.css">
  </head>
  <body>
    <h1><img src="/static/freshet.svg" alt="" width="48" height="48"> freshet demo origin</h1>
    <p>Look at <code>Cache-Status</code> and <code>Age</code> in the answers.</p>
    <table>
${rows.join('\n')}
    </table>
  </body>
</html>
`;
}
