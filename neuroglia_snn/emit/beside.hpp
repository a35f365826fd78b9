// Values of one synapse beside each other in a row, while only the loop looks at them; team.hpp stands before this.
// Of each row, run.homes has where the first of its arrays is, or null while the values are in Brian2's arrays.
const int64_t ROWS_WORTH_A_THREAD = 4096;

template <int N, int stride> static void bring(Run& run, const int row, const int (&arrays)[N])
{
    if (run.homes[row]) return;
    double* const values = run.rows[row];
    const double* home[N];
    for (int k = 0; k < N; k++) home[k] = (const double*)run.arrays[arrays[k]];
    share(run, run.sizes[arrays[0]], ROWS_WORTH_A_THREAD, [=](const int64_t first, const int64_t last)
    {
        for (int64_t u = first; u < last; u++)
            for (int k = 0; k < N; k++) values[stride*u + k] = home[k][u];
    });
    run.homes[row] = run.arrays[arrays[0]];
    run.arrays[arrays[0]] = values;
}

template <int N, int stride> static void hand_back(Run& run, const int row, const int (&arrays)[N])
{
    if (!run.homes[row]) return;
    run.arrays[arrays[0]] = run.homes[row];
    run.homes[row] = nullptr;
    const double* const values = run.rows[row];
    double* home[N];
    for (int k = 0; k < N; k++) home[k] = (double*)run.arrays[arrays[k]];
    share(run, run.sizes[arrays[0]], ROWS_WORTH_A_THREAD, [=](const int64_t first, const int64_t last)
    {
        for (int64_t u = first; u < last; u++)
            for (int k = 0; k < N; k++) home[k][u] = values[stride*u + k];
    });
}
