// become_edge(): `freshet run` goes on as the program that serves, freshet-edge, which lies beside freshet:
// the same process and the same command line. What serves has many libraries, whose loading takes longer than
// a purge; so the commands that ask a running edge are a program without them.
#pragma once

namespace freshet::proxy {

// Returns only where that program cannot be started: says why on standard error, and returns the exit status.
int become_edge(char** argv);

}  // namespace freshet::proxy
