// Waiting for events in tests.
//
// Nothing here measures time: a deadline is only there so that a test which waits for something that will never come says what it waited for. It is
// generous, since the same tests run under sanitizers on busy machines. FRESHET_TEST_DEADLINE (seconds) overrides it.

export const deadlineMs = 1000 * Number(process.env.FRESHET_TEST_DEADLINE || 60);

// Rejects with `what()` when the promise is not settled within the deadline.
export function within(promise, what, ms = deadlineMs) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`waited ${ms / 1000} s for ${typeof what === 'function' ? what() : what}`));
    }, ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// A gate that a test opens: handlers `await gate.opened`.
export function gate() {
  let open;
  const opened = new Promise((resolve) => { open = resolve; });
  return { opened, open };
}

// Something that changes, and those who wait for it to change. `changed()` is called by whoever changed it.
export class Signal {
  #waiters = new Set();

  changed() {
    for (const wake of [...this.#waiters]) wake();
  }

  // Resolves with the first truthy value of `probe()`, which is called now and after each change.
  until(probe, what, ms = deadlineMs) {
    const now = probe();
    if (now) return Promise.resolve(now);
    let wake;
    const found = new Promise((resolve, reject) => {
      wake = () => {
        try {
          const value = probe();
          if (value) resolve(value);
        } catch (error) {
          reject(error);
        }
      };
      this.#waiters.add(wake);
    });
    return within(found, what, ms).finally(() => this.#waiters.delete(wake));
  }
}

// For what cannot be watched (a counter behind /metrics, a file of another program): asks again until the answer is truthy.
export async function eventually(probe, what, ms = deadlineMs) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${ms / 1000} s for ${typeof what === 'function' ? what() : what}`);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}
