/*
 * On ucontext. AddressSanitizer keeps books about the stack that runs, so it is told of each
 * switch. A page that cannot be touched lies below each stack.
 */
#include "tests/simulation/fiber.h"

#include <glib.h>
#include <sanitizer/common_interface_defs.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define STACK_SIZE ((gsize)512 * 1024)

#if defined(__SANITIZE_ADDRESS__)
#define TELLS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TELLS_SANITIZER 1
#endif
#endif

struct Fiber {
    ucontext_t context;
    void (*body)(void *user);
    void *user;
    guint8 *stack;
    bool done;
    void *sanitizer; /* what it keeps of a fiber that stands still */
};

static struct {
    Fiber *current;
    ucontext_t outside;
    void *outside_sanitizer;
    const void *outside_stack;
    gsize outside_size;
    GPtrArray *spare; /* stacks */
} fibers;

/* kept: where the stack that is left stores its books; NULL where it will never run again. */
static void tell_start(void **kept, const void *stack, gsize size)
{
#ifdef TELLS_SANITIZER
    __sanitizer_start_switch_fiber(kept, stack, size);
#else
    (void)kept, (void)stack, (void)size;
#endif
}

static void tell_finish(void *kept, const void **stack, gsize *size)
{
#ifdef TELLS_SANITIZER
    __sanitizer_finish_switch_fiber(kept, stack, size);
#else
    (void)kept, (void)stack, (void)size;
#endif
}

static guint8 *stack_new(void)
{
    if (fibers.spare == NULL)
        fibers.spare = g_ptr_array_new();
    if (fibers.spare->len > 0)
        return g_ptr_array_steal_index_fast(fibers.spare, fibers.spare->len - 1);
    gsize page = (gsize)sysconf(_SC_PAGESIZE);
    guint8 *memory = mmap(NULL, page + STACK_SIZE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, page, PROT_NONE) != 0)
        g_error("no memory for a fiber's stack");
    return memory + page;
}

static void fiber_main(void)
{
    Fiber *self = fibers.current;
    tell_finish(NULL, &fibers.outside_stack, &fibers.outside_size);
    self->body(self->user);
    self->done = true;
    tell_start(NULL, fibers.outside_stack, fibers.outside_size);
    setcontext(&fibers.outside);
}

Fiber *fiber_new(void (*body)(void *user), void *user)
{
    Fiber *fiber = g_new0(Fiber, 1);
    fiber->body = body;
    fiber->user = user;
    fiber->stack = stack_new();
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = STACK_SIZE;
    makecontext(&fiber->context, fiber_main, 0);
    return fiber;
}

void fiber_free(Fiber *fiber)
{
    g_assert(fiber->done);
    g_ptr_array_add(fibers.spare, fiber->stack);
    g_free(fiber);
}

void fiber_resume(Fiber *fiber)
{
    g_assert(fibers.current == NULL && !fiber->done);
    fibers.current = fiber;
    tell_start(&fibers.outside_sanitizer, fiber->stack, STACK_SIZE);
    swapcontext(&fibers.outside, &fiber->context);
    tell_finish(fibers.outside_sanitizer, NULL, NULL);
    fibers.current = NULL;
}

void fiber_yield(void)
{
    Fiber *self = fibers.current;
    tell_start(&self->sanitizer, fibers.outside_stack, fibers.outside_size);
    swapcontext(&self->context, &fibers.outside);
    tell_finish(self->sanitizer, &fibers.outside_stack, &fibers.outside_size);
}

bool fiber_is_done(const Fiber *fiber)
{
    return fiber->done;
}

void *fiber_current_user(void)
{
    return fibers.current != NULL ? fibers.current->user : NULL;
}

void fiber_clear_stacks(void)
{
    gsize page = (gsize)sysconf(_SC_PAGESIZE);
    for (guint i = 0; fibers.spare != NULL && i < fibers.spare->len; i++)
        munmap((guint8 *)g_ptr_array_index(fibers.spare, i) - page, page + STACK_SIZE);
    g_clear_pointer(&fibers.spare, g_ptr_array_unref);
}
