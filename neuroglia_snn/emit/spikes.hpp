// Spikes under way, and lists of the units above a threshold; run.hpp stands before this.

// Synapses of a group: where they lie one after the other, and where a list says which they are.
struct Adjacent
{
    static constexpr bool scattered = false;
    int64_t operator()(const int64_t e) const { return e; }
};
struct Listed
{
    static constexpr bool scattered = true;
    const int32_t* const order;
    int64_t operator()(const int64_t e) const { return order[e]; }
};

INLINE void put(Pathway& path, const int32_t group)
{
    Row& row = path.ring[(path.now + path.delay[group]) % path.rows];
    if (row.count == row.capacity)
    {
        row.capacity = row.capacity ? 2*row.capacity : 16;
        row.groups = (int32_t*)std::realloc(row.groups, row.capacity*sizeof(int32_t));
    }
    row.groups[row.count++] = group;
    row.synapses += path.size_of(group);
}

static void take_up(Pathway& path, const int32_t* events, const int64_t count)
{
    for (int64_t k = 0; k < count; k++)
    {
        if (events[k] < path.start || events[k] >= path.stop) continue;
        const int64_t unit = events[k] - path.start;
        for (int64_t group = path.first[unit]; group < path.first[unit + 1]; group++)
            if (path.size_of(group)) put(path, (int32_t)group);
    }
}

INLINE void pass_on(Pathway& path)
{
    path.ring[path.now].count = path.ring[path.now].synapses = 0;
    path.now = path.now + 1 == path.rows ? 0 : path.now + 1;
    path.age++;
}

extern "C" void release(Pathway* path)
{
    for (int64_t k = 0; k < path->rows; k++) std::free(path->ring[k].groups);
}

// Of 64 numbers, which are not 0: a bit each.
INLINE uint64_t bits_of(const double* const values)
{
    uint64_t bits = 0;
    for (int k = 0; k < 64; k++) bits |= (uint64_t)(values[k] != 0) << k;
    return bits;
}
INLINE bool any_of(const double* const values)
{
    typedef uint64_t Eight __attribute__((vector_size(64), aligned(8), may_alias));
    const Eight* const eights = (const Eight*)values;
    const Eight found = ((eights[0] | eights[1]) | (eights[2] | eights[3])) | ((eights[4] | eights[5]) | (eights[6] | eights[7]));
    uint64_t any = 0;
    for (int k = 0; k < 8; k++) any |= found[k];
    return any;
}

// Booleans of a block of units, which the loop over it has as numbers.
INLINE void unstage(const double* const staged, const int64_t count, uint8_t* const booleans)
{
    for (int64_t u = 0; u < count; u++) booleans[u] = staged[u] != 0;
}

// The units from ``first`` on for which a block has a number that is not 0, as a list; how many they are.
INLINE int64_t list_units(const double* const above, const int64_t count, const int64_t first, int32_t* const events)
{
    int64_t found = 0, u = 0;
    for (; u + 64 <= count; u += 64)
        for (uint64_t bits = any_of(above + u) ? bits_of(above + u) : 0; bits; bits &= bits - 1)
            events[found++] = (int32_t)(first + u + __builtin_ctzll(bits));
    for (; u < count; u++)
        if (above[u] != 0) events[found++] = (int32_t)(first + u);
    return found;
}

// An array as it was before a step that writes it.
template <class T> struct Copy
{
    T* const values;
    Copy(const T* from, const int64_t count) : values((T*)std::malloc(count*sizeof(T)))
    {
        std::memcpy(values, from, count*sizeof(T));
    }
    ~Copy() { std::free(values); }
    T operator[](const int64_t k) const { return values[k]; }
};

