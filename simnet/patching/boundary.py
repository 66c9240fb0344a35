"""The registry: every call of the standard library by which a program leaves itself.

Network, time, threads, descriptors, entropy, processes: for each call of the modules at that
boundary it says what happens to it in a patched program. Tests hold it to what this interpreter's
modules have and to what a patch really does; the README's table is made from it.
"""

from __future__ import annotations

import attrs

# What may happen to a call.
SIMULATED = "simulated"
PASSED = "passed through"
REFUSED = "refused"

# In the place of names: every function and class of the module.
ALL = "*"


def _words(text: str) -> list[str]:
    return text.split()


@attrs.frozen
class Entry:
    """What happens to some calls of a module, and why, or how."""

    area: str
    module: str
    how: str
    names: list[str] = attrs.field(converter=_words)
    note: str


REGISTRY: tuple[Entry, ...] = (
    # Network
    Entry("network", "socket", SIMULATED, "*", "this Python's own, over a simulated `_socket`"),
    Entry(
        "network",
        "_socket",
        SIMULATED,
        "SocketType close dup getaddrinfo getdefaulttimeout gethostbyaddr gethostbyname "
        "gethostbyname_ex gethostname getnameinfo getprotobyname getservbyname getservbyport "
        "if_indextoname if_nameindex if_nametoindex setdefaulttimeout sethostname socket "
        "socketpair",
        "",
    ),
    Entry(
        "network",
        "_socket",
        PASSED,
        "CMSG_LEN CMSG_SPACE error gaierror herror htonl htons inet_aton inet_ntoa inet_ntop "
        "inet_pton ntohl ntohs timeout",
        "they compute, or are exceptions",
    ),
    Entry("network", "select", SIMULATED, "epoll poll select", ""),
    Entry("network", "select", PASSED, "error", "an exception"),
    Entry("network", "selectors", SIMULATED, "*", "this Python's own, over a simulated `select`"),
    Entry("network", "ssl", SIMULATED, "SSLSocket get_server_certificate", "over memory BIOs"),
    Entry(
        "network",
        "os",
        SIMULATED,
        "lstat remove rename replace unlink",
        "for names of simulated unix sockets; others go to the real function",
    ),
    Entry("network", "asyncio.base_events", SIMULATED, "*", "this Python's own loop"),
    Entry("network", "asyncio.selector_events", SIMULATED, "*", "this Python's own loop"),
    Entry(
        "network",
        "asyncio.unix_events",
        SIMULATED,
        "*",
        "this Python's own loop; its subprocesses and real pipes are refused",
    ),
    # Time
    Entry(
        "time",
        "time",
        SIMULATED,
        "asctime clock_gettime clock_gettime_ns ctime gmtime localtime monotonic monotonic_ns "
        "perf_counter perf_counter_ns pthread_getcpuclockid sleep strftime time time_ns",
        "the clocks of the host",
    ),
    Entry("time", "time", REFUSED, "clock_settime clock_settime_ns", "EPERM: use `clock_offset`"),
    Entry(
        "time",
        "time",
        PASSED,
        "clock_getres get_clock_info mktime process_time process_time_ns strptime struct_time "
        "thread_time thread_time_ns tzset",
        "conversions, and the processor's own clocks",
    ),
    Entry("time", "datetime", SIMULATED, "date datetime", "`now`, `utcnow`, `today`"),
    Entry("time", "datetime", PASSED, "time timedelta timezone tzinfo", "values"),
    Entry(
        "time",
        "signal",
        SIMULATED,
        "alarm getitimer pause pthread_kill setitimer",
        "SIGALRM rings in virtual time",
    ),
    Entry("time", "signal", REFUSED, "sigtimedwait sigwait sigwaitinfo", "they wait in real time"),
    # Threads
    Entry("threads", "threading", SIMULATED, "*", "this Python's own, over a simulated `_thread`"),
    Entry(
        "threads",
        "_thread",
        SIMULATED,
        "LockType RLock allocate allocate_lock daemon_threads_allowed exit exit_thread get_ident "
        "get_native_id interrupt_main lock stack_size start_joinable_thread start_new "
        "start_new_thread",
        "threads are tasks of the world",
    ),
    Entry("threads", "_thread", PASSED, "error", "an exception"),
    Entry(
        "threads", "queue", SIMULATED, "*", "this Python's own; its exceptions are the real ones"
    ),
    Entry("threads", "_queue", SIMULATED, "SimpleQueue", ""),
    Entry("threads", "_queue", PASSED, "Empty", "an exception"),
    Entry("threads", "concurrent.futures._base", SIMULATED, "*", "this Python's own"),
    Entry("threads", "concurrent.futures.thread", SIMULATED, "*", "this Python's own"),
    # Descriptors
    Entry(
        "descriptors",
        "os",
        SIMULATED,
        "chdir chmod chown close closerange copy_file_range dup dup2 eventfd eventfd_read "
        "eventfd_write fchdir fchmod fchown fdatasync fdopen fpathconf fstat fstatvfs fsync "
        "ftruncate get_blocking get_inheritable get_terminal_size listdir lockf lseek pathconf "
        "pipe pipe2 posix_fadvise posix_fallocate pread preadv pwrite pwritev read readv scandir "
        "sendfile set_blocking set_inheritable splice stat statvfs tcgetpgrp tcsetpgrp truncate "
        "ttyname utime write writev",
        "for simulated descriptors; real ones go to the real function",
    ),
    Entry("descriptors", "fcntl", SIMULATED, "fcntl flock ioctl lockf", "likewise"),
    Entry("descriptors", "io", SIMULATED, "FileIO open", "likewise"),
    Entry("descriptors", "builtins", SIMULATED, "open", "likewise"),
    Entry(
        "descriptors",
        "signal",
        SIMULATED,
        "getsignal set_wakeup_fd signal",
        "a simulated descriptor can be woken by a signal of the process",
    ),
    Entry(
        "descriptors",
        "os",
        REFUSED,
        "timerfd_create timerfd_gettime timerfd_gettime_ns timerfd_settime timerfd_settime_ns",
        "they count real time",
    ),
    Entry(
        "descriptors",
        "os",
        PASSED,
        "device_encoding grantpt isatty login_tty memfd_create open openpty posix_openpt ptsname "
        "unlockpt",
        "real files and terminals",
    ),
    # Entropy
    Entry("entropy", "os", SIMULATED, "getrandom urandom", "with `entropy=True`"),
    Entry(
        "entropy",
        "random",
        SIMULATED,
        "Random",
        "with `entropy=True`: generators without a seed, also the module's own",
    ),
    Entry("entropy", "random", PASSED, "*", "they draw from those, or from `os.urandom`"),
    Entry("entropy", "secrets", PASSED, "*", "it draws from `os.urandom`"),
    Entry("entropy", "uuid", SIMULATED, "uuid1", "with `entropy=True`"),
    Entry("entropy", "uuid", PASSED, "*", "`uuid4` draws from `os.urandom`"),
    # Processes
    Entry(
        "processes",
        "os",
        REFUSED,
        "execl execle execlp execlpe execv execve execvp execvpe fork forkpty popen posix_spawn "
        "posix_spawnp spawnl spawnle spawnlp spawnlpe spawnv spawnve spawnvp spawnvpe system",
        "they would be on the real network",
    ),
    Entry(
        "processes",
        "subprocess",
        REFUSED,
        "Popen call check_call check_output getoutput getstatusoutput run",
        "likewise; and so `multiprocessing`",
    ),
    Entry(
        "processes",
        "subprocess",
        PASSED,
        "CalledProcessError CompletedProcess SubprocessError TimeoutExpired list2cmdline",
        "values and exceptions",
    ),
    Entry("processes", "multiprocessing.process", REFUSED, "BaseProcess", "when it is started"),
    Entry(
        "processes",
        "os",
        PASSED,
        "abort getpgid getpgrp getpid getppid getpriority getsid kill killpg nice pidfd_open "
        "register_at_fork sched_get_priority_max sched_get_priority_min sched_getaffinity "
        "sched_getparam sched_getscheduler sched_param sched_rr_get_interval sched_setaffinity "
        "sched_setparam sched_setscheduler sched_yield setns setpgid setpgrp setpriority setsid "
        "times times_result unshare wait wait3 wait4 waitid waitid_result waitpid "
        "waitstatus_to_exitcode WCOREDUMP WEXITSTATUS WIFCONTINUED WIFEXITED WIFSIGNALED "
        "WIFSTOPPED WSTOPSIG WTERMSIG",
        "the process itself, and its real children",
    ),
    Entry(
        "processes",
        "signal",
        PASSED,
        "Handlers ItimerError Sigmasks Signals default_int_handler pidfd_send_signal "
        "pthread_sigmask raise_signal siginterrupt sigpending strsignal struct_siginfo "
        "valid_signals",
        "signals reach the process",
    ),
    # What of `os` is no boundary of these kinds
    Entry(
        "files and users",
        "os",
        PASSED,
        "DirEntry GenericAlias Mapping MutableMapping PathLike access chroot confstr cpu_count "
        "ctermid error fsdecode fsencode fspath fwalk get_exec_path getcwd getcwdb getegid getenv "
        "getenvb geteuid getgid getgrouplist getgroups getloadavg getlogin getresgid getresuid "
        "getuid getxattr initgroups lchown link listxattr major makedev makedirs minor mkdir "
        "mkfifo mknod process_cpu_count putenv readlink removedirs removexattr "
        "renames rmdir setegid seteuid setgid setgroups setregid setresgid setresuid "
        "setreuid setuid setxattr stat_result statvfs_result strerror symlink sync sysconf "
        "terminal_size umask uname uname_result unsetenv walk",
        "the real file system, users and environment",
    ),
)


def table() -> str:
    """The registry as a table in Markdown: area, module, calls, what happens."""
    lines = ["| area | module | calls | in a patched program |", "| --- | --- | --- | --- |"]
    for entry in REGISTRY:
        names = "everything else" if entry.names == [ALL] else " ".join(entry.names)
        if entry.names == [ALL] and not any(_others(entry)):
            names = "everything"
        how = entry.how + (f": {entry.note}" if entry.note else "")
        lines.append(f"| {entry.area} | `{entry.module}` | {names} | {how} |")
    return "\n".join(lines)


def _others(entry: Entry) -> list[Entry]:
    return [each for each in REGISTRY if each.module == entry.module and each is not entry]
