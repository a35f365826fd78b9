// COBA by hand, plainly: the network of in_brian.py, its synapses in compressed rows.
// It prints the loop's seconds of processor time, spikes, and synapses.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { N = 4000, EXCITATORY = 3200 };
static double v[N], ge[N], gi[N], last[N];
static int32_t first[N + 1], *target;

static double uniform(void)
{
    static uint64_t state = 1;
    state = state*6364136223846793005u + 1442695040888963407u;
    return (state >> 11)*(1.0/9007199254740992.0);
}
static double normal(void) { return sqrt(-2*log(1 - uniform()))*cos(6.283185307179586*uniform()); }

static void connect(void)
{
    target = malloc((size_t)N*N/20*sizeof(int32_t));
    for (int i = 0; i < N; i++)
    {
        first[i + 1] = first[i];
        for (int j = 0; j < N; j++)
            if (uniform() < 0.02) target[first[i + 1]++] = j;
    }
}

int main(int count, char** arguments)
{
    const double dt = 0.1, seconds = count > 1 ? atof(arguments[1]) : 1;
    const int64_t steps = llround(seconds*1000/dt);
    const double decay_e = exp(-dt/5), decay_i = exp(-dt/10);
    static int32_t spikes[N];
    int64_t all = 0;
    connect();
    for (int i = 0; i < N; i++)
    {
        v[i] = -60 + 10*uniform();
        ge[i] = 4 + 1.5*normal();
        gi[i] = 20 + 12*normal();
        last[i] = -1e9;
    }
    struct timespec began, done;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &began);
    for (int64_t step = 0; step < steps; step++)
    {
        const double t = step*dt;
        int found = 0;
        for (int i = 0; i < N; i++)
        {
            const double total = 1 + ge[i] + gi[i], rest = (-80*gi[i] - 49)/total;
            const double next = rest + (v[i] - rest)*exp(-total*dt/20);
            v[i] = t - last[i] >= 5 - 1e-4 ? next : v[i];
            ge[i] *= decay_e;
            gi[i] *= decay_i;
        }
        for (int i = 0; i < N; i++)
            if (v[i] > -50 && t - last[i] >= 5 - 1e-4) spikes[found++] = i;
        for (int k = 0; k < found; k++)
        {
            const int i = spikes[k];
            double* const g = i < EXCITATORY ? ge : gi;
            const double jump = i < EXCITATORY ? 0.6 : 6.7;
            for (int32_t s = first[i]; s < first[i + 1]; s++) g[target[s]] += jump;
            v[i] = -60;
            last[i] = t;
        }
        all += found;
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &done);
    const double took = done.tv_sec - began.tv_sec + 1e-9*(done.tv_nsec - began.tv_nsec);
    printf("%.17g %lld %d\n", took, (long long)all, first[N]);
    return 0;
}
