// Threads that share the work of a step; run.hpp and spikes.hpp stand before this.
#include <csignal>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

INLINE void relax()
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// A step starts and ends in the loop's own thread, number 0; the others do their part of a piece of work when it is
// given to them. Parts of those that are not there, because others use their cores, are done by thread 0, too: parts
// must not wait for each other. A thread that waits spins for some microseconds, then lets others have its core, and after about a
// millisecond sleeps: a loop that is paused occupies no core. Threads other than 0 take no signals.
class Team
{
    using Work = void (*)(const void*, int, int);
    struct alignas(64) Member { Team* team; int id; pthread_t thread; int64_t begun, done; };
    static constexpr int yields = 2500;

    const int spins;  // none where threads have to share cores
    const pid_t process = getpid();
    Member* members;
    int count = 1;
    Work work = nullptr;
    const void* given = nullptr;
    alignas(64) int64_t round = 0;
    alignas(64) int64_t asleep = 0;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t awake = PTHREAD_COND_INITIALIZER;

    void sleep(const int64_t wanted)
    {
        pthread_mutex_lock(&mutex);
        __atomic_add_fetch(&asleep, 1, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&round, __ATOMIC_SEQ_CST) < wanted) pthread_cond_wait(&awake, &mutex);
        __atomic_sub_fetch(&asleep, 1, __ATOMIC_SEQ_CST);
        pthread_mutex_unlock(&mutex);
    }
    int64_t await(const int64_t wanted)
    {
        for (int k = 0;; k++)
        {
            const int64_t now = __atomic_load_n(&round, __ATOMIC_ACQUIRE);
            if (now >= wanted) return now;
            if (k < spins) relax();
            else if (k < spins + yields) sched_yield();
            else sleep(wanted);
        }
    }
    // Whether the part of a thread in this round was not begun before; it is now.
    static bool begin(Member& member, const int64_t round)
    {
        int64_t before = round - 1;
        return __atomic_compare_exchange_n(&member.begun, &before, round, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    }
    static void* live(void* const given)
    {
        Member& self = *(Member*)given;
        Team& team = *self.team;
        const FlushToZero flush;
        (void)flush;
        for (int64_t round = 0;;)
        {
            round = team.await(round + 1);
            if (!begin(self, round)) continue;
            if (!team.work) return nullptr;
            team.work(team.given, self.id, team.count);
            __atomic_store_n(&self.done, round, __ATOMIC_RELEASE);
        }
    }
    void start(const Work next, const void* const what)
    {
        work = next;
        given = what;
        __atomic_store_n(&round, round + 1, __ATOMIC_SEQ_CST);
        if (!__atomic_load_n(&asleep, __ATOMIC_SEQ_CST)) return;
        pthread_mutex_lock(&mutex);
        pthread_cond_broadcast(&awake);
        pthread_mutex_unlock(&mutex);
    }
    void finish()
    {
        for (int id = 1; id < count; id++)
            if (__atomic_load_n(&members[id].begun, __ATOMIC_RELAXED) < round && begin(members[id], round))
            {
                work(given, id, count);
                members[id].done = round;
            }
        for (int id = 1; id < count; id++)
            for (int k = 0; __atomic_load_n(&members[id].done, __ATOMIC_ACQUIRE) < round; k++)
            {
                if (k < spins) relax();
                else sched_yield();
            }
    }

public:
    // As many threads as there can be, at most so many.
    explicit Team(const int threads)
        : spins(threads <= sysconf(_SC_NPROCESSORS_ONLN) ? 200 : 0), members(new Member[threads])
    {
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        for (int id = 1; id < threads; id++, count++)
        {
            members[id] = Member{this, id, {}, 0, 0};
            if (pthread_create(&members[id].thread, nullptr, live, &members[id])) break;
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    Team(const Team&) = delete;
    ~Team()
    {
        if (forked()) return;
        start(nullptr, nullptr);
        for (int id = 1; id < count; id++) pthread_join(members[id].thread, nullptr);
        delete[] members;
    }
    // A process that was made by fork() has none of the threads.
    bool forked() const { return getpid() != process; }
    int threads() const { return count; }
    // Call f(id, threads) in every thread, and come back when all have done it.
    template <class F> void run(const F& f)
    {
        start([](const void* f, const int id, const int threads) { (*(const F*)f)(id, threads); }, &f);
        f(0, count);
        finish();
    }
};

// Where the part of a thread begins: at a whole block, so that units lie in vectors as they do on one thread; the last
// part is not so short that its vectors do not pay.
INLINE int64_t border(const int64_t count, const int id, const int threads)
{
    if (id == threads) return count;
    return (count*id/threads + (count < BLOCK*threads ? 0 : BLOCK/2))/BLOCK*BLOCK;
}

// Do all units, each thread a part where there are at least so many for each: f(first, last).
template <class F> INLINE void share(Run& run, const int64_t count, const int64_t least, const F& f)
{
    if (!run.team || count/run.threads < least) return f(0, count);
    run.team->run([&](const int id, const int threads) { f(border(count, id, threads), border(count, id + 1, threads)); });
}

// The same where f lists some of the units and says how many: all of them, in order.
template <class F> INLINE int64_t share_and_list(Run& run, const int64_t count, const int64_t least, int32_t* const events, const F& f)
{
    int64_t found[MOST_THREADS];
    const auto list = [&](const int id, const int threads)
    {
        const int64_t first = border(count, id, threads), last = border(count, id + 1, threads);
        found[id] = f(first, last, events + first);
    };
    if (!run.team || count/run.threads < least) { list(0, 1); return found[0]; }
    run.team->run(list);
    int64_t all = found[0];
    for (int id = 1; id < run.team->threads(); all += found[id++])
        std::memmove(events + all, events + border(count, id, run.team->threads()), found[id]*sizeof(int32_t));
    return all;
}

// Do all synapses that are due, each thread a part of each group: f(first part, last part).
template <class F> INLINE void share(Run& run, const Pathway& path, const int64_t least, const F& f)
{
    if (path.parts == 1 || !run.team || path.is_late() || path.ring[path.now].synapses/path.parts < least)
        return f(0, path.parts);
    run.team->run([&](const int id, const int) { f(id, id + 1); });
}
