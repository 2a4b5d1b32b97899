#include "deploy/signals.h"

#include <signal.h>
#include <unistd.h>

enum { EXIT_AT_ONCE = 3 };

/* The stop flag that the handler may touch. */
static gint *volatile stop_flag;

/* Only what may be done in a handler: lock-free atomics and _exit. */
static void on_signal(int number)
{
    (void)number;
    gint *flag = stop_flag;
    if (flag == NULL || g_atomic_int_get(flag) != 0) {
        static const char words[] =
            "drover: ended at once; the next start does again what was in progress\n";
        if (write(STDERR_FILENO, words, sizeof words - 1) < 0)
            _exit(EXIT_AT_ONCE);
        _exit(EXIT_AT_ONCE);
    }
    g_atomic_int_set(flag, 1);
}

static void install(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

void signals_watch(Runtime *runtime)
{
    stop_flag = &runtime->stop;
    install(on_signal);
}

void signals_forget(void)
{
    install(SIG_DFL);
    stop_flag = NULL;
}
