/* Makes system calls in the name of another process, x86-64: inject PID. Reads lines of a number and six arguments, and
 * answers each with the result. `stack` among the arguments is an address in the process's stack. The process waits in a
 * call of its own when this begins, and goes on waiting in it when this ends. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

static void fail(const char *what) {
    perror(what);
    exit(2);
}

static void stopped(pid_t pid) {
    int status;
    if (waitpid(pid, &status, __WALL) != pid) fail("waitpid");
    if (!WIFSTOPPED(status)) {
        fprintf(stderr, "the process has ended: %#x\n", status);
        exit(3);
    }
}

int main(int argc, char **argv) {
    if (argc != 2) return 1;
    pid_t pid = atoi(argv[1]);
    struct user_regs_struct before, now;
    if (ptrace(PTRACE_ATTACH, pid, 0, 0)) fail("attach");
    stopped(pid);
    if (ptrace(PTRACE_GETREGS, pid, 0, &before)) fail("registers");
    errno = 0;
    long code = ptrace(PTRACE_PEEKTEXT, pid, before.rip - 2, 0);
    if (errno || (code & 0xffff) != 0x050f) {
        fprintf(stderr, "it does not wait in a system call\n");
        return 4;
    }
    char line[512];
    while (fgets(line, sizeof line, stdin)) {
        unsigned long long value[7] = {0};
        int count = 0;
        for (char *word = strtok(line, " \n"); word && count < 7; word = strtok(NULL, " \n"))
            value[count++] = strcmp(word, "stack") ? strtoull(word, NULL, 0) : before.rsp - 8192;
        now = before;
        now.rip = before.rip - 2;
        now.orig_rax = -1;
        now.rax = value[0];
        now.rdi = value[1], now.rsi = value[2], now.rdx = value[3];
        now.r10 = value[4], now.r8 = value[5], now.r9 = value[6];
        if (ptrace(PTRACE_SETREGS, pid, 0, &now)) fail("set");
        if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0)) fail("step");
        stopped(pid);
        if (ptrace(PTRACE_GETREGS, pid, 0, &now)) fail("registers");
        printf("%lld\n", (long long)now.rax);
        fflush(stdout);
    }
    if (ptrace(PTRACE_SETREGS, pid, 0, &before)) fail("set");
    if (ptrace(PTRACE_DETACH, pid, 0, 0)) fail("detach");
    return 0;
}
