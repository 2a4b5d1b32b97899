/*
 * The C11 threads that librdkafka runs on, made of pthreads, for builds with ThreadSanitizer: it
 * knows of no others, and crashes in a thread whose beginning it has not seen. What librdkafka does
 * inside is not compiled with it, so its calls are left alone; and drover lets its threads run on
 * where a topic was deleted (kafka_client_free).
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

typedef struct Start {
    thrd_start_t function;
    void *argument;
} Start;

const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:librdkafka.so\n"
           "thread:librdkafka.so\n";
}

static void *begin(void *data)
{
    Start start = *(Start *)data;
    free(data);
    return (void *)(intptr_t)start.function(start.argument);
}

int thrd_create(thrd_t *thread, thrd_start_t function, void *argument)
{
    Start *start = malloc(sizeof *start);
    if (start == NULL)
        return thrd_nomem;
    *start = (Start){function, argument};
    if (pthread_create(thread, NULL, begin, start) == 0)
        return thrd_success;
    free(start);
    return thrd_error;
}

int thrd_join(thrd_t thread, int *result)
{
    void *value;
    if (pthread_join(thread, &value) != 0)
        return thrd_error;
    if (result != NULL)
        *result = (int)(intptr_t)value;
    return thrd_success;
}
