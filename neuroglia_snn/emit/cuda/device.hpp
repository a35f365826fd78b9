// What kernels stand on: a run's values on the device, threads and blocks, events, spikes under way. run.hpp and
// functions.hpp stand before this, and gpu.hpp or emulated.hpp before them.

// Of a pathway: the units with an event in each of the last steps, one row a step, in a ring; and its least delay.
struct Ring { int32_t* units; int32_t* counts; int64_t* now; int64_t width, least; };
// A run, as kernels see it.
struct Device
{
    void** arrays; const int64_t* sizes; const double* f; const int64_t* n; const uint32_t* keys;
    const Alias* aliases; const Table* tables; const Pathway* pathways; Clock* clocks;
    const int64_t* bytes;  // of each array
    void** copies;         // of arrays as they were before a step that writes them
    uint8_t* flags;        // of units: whether they are above the threshold
    int32_t* counts;       // how many are, of each chunk
    double* total;         // of all sources of a sum
    int32_t* finished;     // blocks of a kernel that have read all that others write
    const Ring* rings;
};
// Those that go on together: blocks with the same y do one run.
const int MOST_RUNS = 256;
static __constant__ Device runs[MOST_RUNS];

static __device__ __forceinline__ int64_t thread() { return (int64_t)blockIdx.x*blockDim.x + threadIdx.x; }
static __device__ __forceinline__ int64_t threads() { return (int64_t)gridDim.x*blockDim.x; }

// ------------------------------------------------------------------------------ within one block

// The sum of a value of each thread of a block, in the same order every time: each thread's has it. Threads that are
// half of them apart are added up, and so on.
template <class T> static __device__ T sum_of_block(const T value)
{
    __shared__ T values[THREADS];
    __syncthreads();
    values[threadIdx.x] = value;
    for (unsigned left = blockDim.x; left > 1;)
    {
        const unsigned half = (left + 1)/2;
        __syncthreads();
        if (threadIdx.x + half < left) values[threadIdx.x] += values[threadIdx.x + half];
        left = half;
    }
    __syncthreads();
    return values[0];
}
// How many threads before this one have something, and in ``all`` how many have: those of a warp by its votes, and the
// warps before it one after the other. All threads of the block call it, which are whole warps.
static __device__ int32_t number_in_block(const bool has, int32_t& all)
{
    __shared__ int32_t of_warps[THREADS/WARP];
    const unsigned voted = votes(has), lane = threadIdx.x % WARP, warp = threadIdx.x/WARP;
    __syncthreads();
    if (lane == 0) of_warps[warp] = bits_of(voted);
    __syncthreads();
    int32_t before = bits_of(voted & ((1u << lane) - 1));
    all = 0;
    for (unsigned k = 0; k < blockDim.x/WARP; k++)
    {
        before += k < warp ? of_warps[k] : 0;
        all += of_warps[k];
    }
    return before;
}

// --------------------------------------------------------------------------------------- events

// The units of a chunk where there are so many: few, so that all processors have some, and more where there are so many
// chunks that the blocks that add up those before them take longer.
static __host__ __device__ int64_t size_of_chunk(const int64_t count)
{
    int64_t size = 2*WARP;
    while (size < CHUNK && size*MOST_CHUNKS < count) size *= 2;
    return size;
}
// The chunks of so many units, one for each block, or one for all of them; blocks that are left over have none.
static __host__ __device__ int64_t chunks_of(const int64_t count)
{
    const int64_t size = size_of_chunk(count);
    return count < 1 ? 1 : (count + size - 1)/size;
}
// Room for the chunks of so many units, or fewer.
static size_t room_for_chunks(const size_t units) { return units ? sizeof(int32_t)*std::max((size_t)MOST_CHUNKS, (units + CHUNK - 1)/CHUNK) : 0; }
// Threads of a block where units are done one a thread.
static int64_t threads_for(const int64_t count) { return std::min((int64_t)THREADS, size_of_chunk(count)); }
struct Chunk
{
    int64_t chunks, first, last;
    __device__ Chunk(const int64_t count, const bool whole) : chunks(whole ? 1 : chunks_of(count))
    {
        const int64_t size = whole ? count : size_of_chunk(count);
        first = blockIdx.x*size;
        last = first + size < count ? first + size : count;
    }
    __device__ bool is_none() const { return blockIdx.x >= chunks; }
    __device__ bool is_last() const { return blockIdx.x + 1 == chunks; }
};
// What a threshold leaves: the list of its events, and for units that are refractory since.
struct Events { int events, free, last, time; };

// The units with flags as a list, in order: a block a chunk.
static __global__ void list_events(const Events of, const bool whole)
{
    const Device& run = runs[blockIdx.y];
    const int64_t count = run.sizes[of.events] - 1;
    const Chunk chunk(count, whole);
    if (chunk.is_none()) return;
    int32_t* const events = (int32_t*)run.arrays[of.events];
    const bool last = chunk.is_last();
    if (!run.counts[blockIdx.x] && !last) return;
    int32_t before = 0;
    for (int64_t k = threadIdx.x; k < blockIdx.x; k += blockDim.x) before += run.counts[k];
    before = sum_of_block(before);
    for (int64_t from = chunk.first; from < chunk.last; from += blockDim.x)
    {
        const int64_t u = from + threadIdx.x;
        const bool above = u < chunk.last && run.flags[u];
        int32_t all;
        const int32_t place = before + number_in_block(above, all);
        before += all;
        if (!above) continue;
        events[place] = (int32_t)u;
        if (of.free < 0) continue;
        ((uint8_t*)run.arrays[of.free])[u] = 0;
        ((double*)run.arrays[of.last])[u] = *(const double*)run.arrays[of.time];
    }
    if (last && threadIdx.x == 0) events[count] = before;
}

// ------------------------------------------------------------------------------ spikes under way

// A pathway takes up the events of its units: one block.
static __global__ void take_up(const int pathway, const int array)
{
    const Device& run = runs[blockIdx.y];
    const Pathway& path = run.pathways[pathway];
    const Ring& ring = run.rings[pathway];
    const int32_t* const events = (const int32_t*)run.arrays[array];
    const int64_t count = events[run.sizes[array] - 1], row = (*ring.now + 1) % path.rows;
    int32_t* const units = ring.units + row*ring.width;
    int32_t found = 0;
    for (int64_t from = 0; from < count; from += blockDim.x)
    {
        const int64_t k = from + threadIdx.x;
        const bool own = k < count && events[k] >= path.start && events[k] < path.stop;
        int32_t all;
        const int32_t place = found + number_in_block(own, all);
        if (own) units[place] = (int32_t)(events[k] - path.start);
        found += all;
    }
    __syncthreads();
    if (threadIdx.x) return;
    ring.counts[row] = found;
    *ring.now = row;
}
// The group of a unit with a delay, -1 if there is none; ``first`` and ``delays`` are the pathway's.
static __device__ int64_t group_of(const int64_t* const first, const int32_t* const delays, const int64_t unit, const int64_t delay)
{
    int64_t low = first[unit], high = first[unit + 1];
    const int64_t end = high;
    while (low < high)
    {
        const int64_t middle = (low + high)/2;
        if (delays[middle] < delay) low = middle + 1;
        else high = middle;
    }
    return low < end && delays[low] == delay ? low : -1;
}
// Synapses that spikes reach now. Where groups are shared out in parts, each block does one part of every group, one
// group after the other; otherwise a few threads do a group, and others do others at the same time. Where several
// synapses of a group have one target, one thread does its part. What is read of the pathway is read once: the compiler
// cannot know that no synapse writes there.
template <bool in_parts, class Synapse> static __device__ void each_due(const Pathway& path, const Ring& ring, const Synapse& synapse)
{
    const int64_t first = in_parts ? 0 : thread()/LANES, apart = in_parts ? 1 : threads()/LANES;
    const int64_t lane = in_parts ? threadIdx.x : thread() % LANES;
    const int64_t lanes = !in_parts ? LANES : path.repeats ? 1 : blockDim.x;
    const int64_t parts = path.parts, rows = path.rows, now = *ring.now, width = ring.width, least = ring.least;
    const int64_t *const of_unit = path.first, *const begins = path.begin + (in_parts ? blockIdx.x : 0);
    const int32_t *const delays = path.delay, *const order = path.order, *const fired = ring.units;
    const int32_t* const counts = ring.counts;
    if (in_parts && blockIdx.x >= parts) return;
    for (int64_t age = rows - 1; age >= least; age--)
    {
        const int64_t row = (now - age + rows) % rows, count = counts[row];
        const int32_t* const units = fired + row*width;
        for (int64_t k = first; k < count; k += apart)
        {
            const int64_t group = group_of(of_unit, delays, units[k], age);
            if (group < 0) continue;
            const int64_t end = begins[group*parts + 1];
            for (int64_t e = begins[group*parts] + lane; lane < lanes && e < end; e += lanes)
            {
                const int64_t u = order ? order[e] : e;
                synapse(u, u);
            }
            if (in_parts) __syncthreads();
        }
    }
}
// Synapses that spikes of an earlier run reach at this age of the pathway.
template <class Synapse> static __device__ void each_late(const Pathway& path, const int64_t age, const Synapse& synapse)
{
    for (int64_t k = 0; k < path.late_count; k++)
        if (path.late_due[k] == age) synapse(path.late[k], path.late[k] + path.again);
}

// ------------------------------------------------------------------------------------- each step

// An array as it is before a step.
static __global__ void copy_array(const int array)
{
    const Device& run = runs[blockIdx.y];
    const int64_t bytes = run.bytes[array];
    const uint64_t* const from = (const uint64_t*)run.arrays[array];
    uint64_t* const to = (uint64_t*)run.copies[array];
    for (int64_t k = thread(); k < bytes/8; k += threads()) to[k] = from[k];
    if (thread() == 0)
        for (int64_t k = bytes/8*8; k < bytes; k++) ((uint8_t*)to)[k] = ((const uint8_t*)from)[k];
}
static __global__ void lengthen(const int array) { ++*(int32_t*)runs[blockIdx.y].arrays[array]; }
static __global__ void tick_on_device(const int64_t first, const uint64_t due)
{
    const Device& run = runs[blockIdx.y];
    for (int64_t k = 0; k < 64; k++)
        if (due >> k & 1) tick(run.clocks[first + k]);
}

// ---------------------------------------------------------------------------- a run's own values

// An array of the host's, and where it is on the device; arrays of the program that are one are one here.
struct Mirror { void* host; void* here; size_t bytes, room; bool newer_on_host, newer_here; };
// What a program has of each kind; bytes of each array; and of each pathway, the most events of a step.
struct Counts { int64_t arrays, parameters, draws, tables, pathways, records; const int64_t *bytes, *events; };
// Blocks of ``threads_for`` so many units.
static int64_t blocks_for(const int64_t count)
{
    const int64_t threads = threads_for(count), needed = (count + threads - 1)/threads;
    return needed < 1 ? 1 : needed < MOST_BLOCKS ? needed : MOST_BLOCKS;
}

// A step's launches: each run asks for its own, and each kernel is launched once for all runs, with the largest grid
// that one of them asked for.
class Launches
{
    struct One
    {
        void* kernel;
        int64_t blocks, threads;
        std::function<cudaError_t(Graph*, int64_t, int64_t, int64_t)> go;
    };
    std::vector<One> all;
    size_t place = 0;

public:
    // Another run asks, for the same in the same order; some may ask for what others do not.
    void next_run() { place = 0; }
    template <class... P> void ask(void (*const kernel)(P...), const int64_t blocks, const int64_t threads, const std::tuple<P...>& given)
    {
        size_t k = place;
        while (k < all.size() && all[k].kernel != (void*)kernel) k++;
        if (k < all.size())
        {
            all[k].blocks = std::max(all[k].blocks, blocks);
            all[k].threads = std::max(all[k].threads, threads);
            place = k + 1;
            return;
        }
        const auto go = [=](Graph* const graph, const int64_t most_blocks, const int64_t runs, const int64_t most_threads)
        {
            const cudaError_t error = ::launch(kernel, (unsigned)most_blocks, (unsigned)runs, (unsigned)most_threads, given);
            if (graph && error == cudaSuccess) graph->add(kernel, (unsigned)most_blocks, (unsigned)runs, (unsigned)most_threads, given);
            return error;
        };
        all.insert(all.begin() + place++, One{(void*)kernel, blocks, threads, go});
    }
    // None is made after one that failed.
    cudaError_t go(Graph* const graph, const int64_t runs)
    {
        cudaError_t error = cudaSuccess;
        for (const One& one : all)
            if (error == cudaSuccess) error = one.go(graph, one.blocks, runs, one.threads);
        forget();
        return error;
    }
    void forget()
    {
        all.clear();
        place = 0;
    }
};

class Together;
class Gpu
{
    Run& run;
    const Counts counts;
    std::vector<Mirror> mirrors, spaces;
    std::vector<int> mirror_of;
    std::vector<void*> arrays, copied, held;
    std::vector<size_t> copied_room;
    std::vector<int> moving;  // arrays whose two places the device exchanges
    size_t flags_room = 0;
    bool moved = true;

    void* give(const size_t bytes)
    {
        void* where = nullptr;
        check(cudaMalloc(&where, bytes ? bytes : 1));
        allocated += bytes;
        return where;
    }
    void take(void* const where, const size_t bytes)
    {
        if (where) allocated -= bytes;
        cudaFree(where);
    }
    template <class T> T* uploaded(const T* const from, const int64_t count)
    {
        if (!from) return nullptr;
        T* const here = (T*)hold(count*sizeof(T));
        check(cudaMemcpy(here, from, count*sizeof(T), cudaMemcpyHostToDevice));
        return here;
    }
    void* hold(const size_t bytes)
    {
        held.push_back(give(bytes));
        return held.back();
    }
    Mirror& found(void* const host, const size_t bytes, int& place)
    {
        for (place = 0; place < (int)mirrors.size(); place++)
            if (bytes && mirrors[place].host == host && mirrors[place].bytes == bytes) return mirrors[place];
        mirrors.push_back(Mirror{host, nullptr, bytes, 0, true, false});
        return mirrors.back();
    }
    // Where an array is now, and how long: what the device has of it stays.
    void place(const int64_t k)
    {
        void* const host = run.arrays[k];
        const size_t bytes = counts.bytes[k];
        int place = mirror_of[k];
        if (place >= 0 && mirrors[place].host == host && mirrors[place].bytes == bytes) return;
        bool shared = false;
        for (int64_t n = 0; n < counts.arrays && place >= 0; n++) shared = shared || (n != k && mirror_of[n] == place);
        if (place < 0 || shared) found(host, bytes, place);
        Mirror& mirror = mirrors[place];
        mirror_of[k] = place;
        mirror.host = host;
        if (bytes > mirror.room)
        {
            void* const larger = give(bytes);
            if (mirror.here) check(cudaMemcpy(larger, mirror.here, mirror.bytes, cudaMemcpyDeviceToDevice));
            take(mirror.here, mirror.room);
            mirror.here = larger;
            mirror.room = bytes;
        }
        mirror.bytes = bytes;
        moved = true;
    }
    void clocks()
    {
        std::vector<Clock> made(run.clocks, run.clocks + run.clock_count);
        for (Clock& clock : made)
        {
            clock.timestep = shared(clock.timestep);
            clock.t = shared(clock.t);
            clock.dt = shared(clock.dt);
            if (clock.times) clock.times = uploaded(clock.times, clock.end + 1);
        }
        device.clocks = uploaded(made.data(), run.clock_count);
    }
    // One number of the host's, which may be an array of the program, too.
    template <class T> T* shared(T* const host)
    {
        if (!host) return nullptr;
        int place;
        Mirror& mirror = found((void*)host, sizeof(T), place);
        if (!mirror.here) mirror.here = give(mirror.room = sizeof(T));
        return (T*)mirror.here;
    }
    void pathways()
    {
        std::vector<Pathway> made(run.pathways, run.pathways + counts.pathways);
        std::vector<Ring> rings;
        for (Pathway& path : made)
        {
            const int64_t units = path.stop - path.start, groups = path.first[units];
            const int64_t synapses = path.begin[groups*path.parts];
            const int64_t least = groups ? *std::min_element(path.delay, path.delay + groups) : path.rows;
            path.first = uploaded(path.first, units + 1);
            path.delay = uploaded(path.delay, groups);
            path.begin = uploaded(path.begin, groups*path.parts + 1);
            path.order = uploaded(path.order, synapses);
            path.late = uploaded(path.late, path.late_count);
            path.late_due = uploaded(path.late_due, path.late_count);
            path.ring = nullptr;
            const std::vector<int32_t> nothing(path.rows);
            const int64_t now = path.rows - 1;
            const int64_t width = counts.events[rings.size()];
            int32_t* const room = (int32_t*)hold(path.rows*width*sizeof(int32_t));
            rings.push_back(Ring{room, uploaded(nothing.data(), path.rows), uploaded(&now, 1), width, least});
        }
        of_pathways = rings;
        device.pathways = uploaded(made.data(), counts.pathways);
        device.rings = uploaded(rings.data(), counts.pathways);
    }
    void tables()
    {
        std::vector<Table> made(run.tables, run.tables + counts.tables);
        for (Table& table : made) table.values = uploaded(table.values, table.rows*table.columns);
        device.tables = uploaded(made.data(), counts.tables);
        std::vector<Alias> aliases(run.aliases, run.aliases + counts.draws);
        for (Alias& alias : aliases)
        {
            alias.bound = uploaded(alias.bound, (int64_t)alias.columns);
            alias.other = uploaded(alias.other, (int64_t)alias.columns);
        }
        device.aliases = uploaded(aliases.data(), counts.draws);
    }

public:
    Device device{};
    std::vector<Ring> of_pathways;
    std::vector<int64_t> most;   // of each record, at most how long it is now; -1 where nobody knows
    std::vector<int64_t> asked;  // of each record, how much room a step may take; -1 until it has been asked for
    int64_t allocated = 0;
    bool short_of_room = false;  // of a record
    std::string failure;
    std::shared_ptr<Together> all;
    int64_t blocks = 1;          // of this run, that fill the device with those of the others

    Gpu(Run& run, const Counts& counts)
        : run(run), counts(counts), mirror_of(counts.arrays, -1), arrays(counts.arrays), copied(counts.arrays),
          copied_room(counts.arrays), most(counts.records, -1), asked(counts.records, -1)
    {
        device.f = uploaded(run.f, counts.parameters);
        device.n = uploaded(run.n, counts.parameters);
        device.keys = uploaded(run.keys, 2*counts.draws);
        device.arrays = (void**)hold(counts.arrays*sizeof(void*));
        device.sizes = (const int64_t*)hold(counts.arrays*sizeof(int64_t));
        device.bytes = (const int64_t*)hold(counts.arrays*sizeof(int64_t));
        device.copies = (void**)hold(counts.arrays*sizeof(void*));
        device.total = (double*)hold(sizeof(double));
        const int32_t none = 0;
        device.finished = uploaded(&none, 1);
        clocks();
        pathways();
        tables();
    }
    ~Gpu()
    {
        for (void* const where : held) cudaFree(where);
        for (const Mirror& mirror : mirrors) cudaFree(mirror.here);
        for (const Mirror& mirror : spaces) cudaFree(mirror.here);
        for (void* const where : copied) cudaFree(where);
        cudaFree(device.flags);
        cudaFree(device.counts);
    }
    void check(const cudaError_t error)
    {
        if (error != cudaSuccess && failure.empty()) failure = cudaGetErrorString(error);
    }
    // Have a kernel launched for this run.
    template <class... P, class... Values>
    void launch(void (*const kernel)(P...), int64_t blocks, int64_t threads, const Values&... values);
    // Have one launched that will not be launched again in the same way.
    template <class... Given> void launch_once(const Given&... given);
    // Whether a step can be the same launches as before: all records have room, and nothing is left of an earlier run.
    bool has_room(const std::vector<int>& records) const
    {
        for (const int k : records)
            if (most[k] < 0 || most[k] + asked[k] > run.capacity[k]) return false;
        for (int64_t k = 0; k < counts.pathways; k++)
            if (run.pathways[k].late_next < run.pathways[k].late_count) return false;
        return true;
    }
    // Take note of a step that was launched at once.
    void done(const std::vector<int>& records, const std::vector<int>& pathways)
    {
        for (const int k : records) most[k] += asked[k];
        for (const int k : pathways) run.pathways[k].age++;
    }
    // What Python may have changed.
    void changed()
    {
        for (Mirror& mirror : mirrors) mirror.newer_on_host = true, mirror.newer_here = false;
        std::fill(most.begin(), most.end(), -1);
    }
    // Have an array that a function of the script reads, and may write, on the device; where it is.
    void* space(const size_t number, void* const host, const size_t bytes)
    {
        if (number >= spaces.size()) spaces.resize(number + 1);
        Mirror& mirror = spaces[number];
        if (!mirror.here || bytes > mirror.room)
        {
            take(mirror.here, mirror.room);
            mirror.here = give(mirror.room = bytes);
        }
        mirror.host = host;
        mirror.bytes = bytes;
        check(cudaMemcpy(mirror.here, host, bytes, cudaMemcpyHostToDevice));
        return mirror.here;
    }
    void leave()
    {
        for (const Mirror& mirror : spaces) check(cudaMemcpy(mirror.host, mirror.here, mirror.bytes, cudaMemcpyDeviceToHost));
    }
    // Know where the device has its arrays.
    void locate()
    {
        if (moving.empty()) return;
        check(cudaMemcpy(arrays.data(), device.arrays, counts.arrays*sizeof(void*), cudaMemcpyDeviceToHost));
        check(cudaMemcpy(copied.data(), device.copies, counts.arrays*sizeof(void*), cudaMemcpyDeviceToHost));
        for (const int number : moving) mirrors[mirror_of[number]].here = arrays[number];
    }
    // Have on the device what is newer on the host.
    void enter()
    {
        locate();
        for (int64_t k = 0; k < counts.arrays; k++) place(k);
        for (Mirror& mirror : mirrors)
            if (mirror.newer_on_host)
            {
                check(cudaMemcpy(mirror.here, mirror.host, mirror.bytes, cudaMemcpyHostToDevice));
                mirror.newer_on_host = false;
            }
        if (!moved) return;
        for (int64_t k = 0; k < counts.arrays; k++) arrays[k] = mirrors[mirror_of[k]].here;
        check(cudaMemcpy(device.arrays, arrays.data(), counts.arrays*sizeof(void*), cudaMemcpyHostToDevice));
        check(cudaMemcpy((void*)device.sizes, run.sizes, counts.arrays*sizeof(int64_t), cudaMemcpyHostToDevice));
        check(cudaMemcpy((void*)device.bytes, counts.bytes, counts.arrays*sizeof(int64_t), cudaMemcpyHostToDevice));
        moved = false;
    }
    // Have on the host what is newer on the device.
    void settle()
    {
        locate();
        for (Mirror& mirror : mirrors)
            if (mirror.newer_here)
            {
                check(cudaMemcpy(mirror.host, mirror.here, mirror.bytes, cudaMemcpyDeviceToHost));
                mirror.newer_here = false;
            }
    }
    // These arrays are newer on the device.
    void mark(const std::vector<int>& numbers)
    {
        for (const int number : numbers) mirrors[mirror_of[number]].newer_here = true;
    }
    // A step writes them.
    void written(const std::vector<int>& numbers);
    // Room for a second place of an array.
    void second(const int number)
    {
        const size_t bytes = mirrors[mirror_of[number]].bytes;
        if (copied_room[number] >= bytes) return;
        locate();
        take(copied[number], copied_room[number]);
        copied[number] = give(copied_room[number] = bytes);
        check(cudaMemcpy(device.copies, copied.data(), counts.arrays*sizeof(void*), cudaMemcpyHostToDevice));
    }
    // A step writes an array to its second place, which is the array then.
    void doubled(const int number)
    {
        second(number);
        if (std::find(moving.begin(), moving.end(), number) == moving.end()) moving.push_back(number);
    }
    // A step reads an array as it was before it.
    void copy(const int number)
    {
        second(number);
        const int64_t count = mirrors[mirror_of[number]].bytes/8;
        launch(copy_array, blocks_for(count), threads_for(count), number);
    }
    // Room for flags of so many units.
    void flags(size_t units);
    // A pathway has taken up the events of a step.
    void aged(int pathway);
    // Whether a record has room for more; the device is asked for its length only where it might not.
    bool has_room(const int record, const int array, const int64_t more)
    {
        Mirror& mirror = mirrors[mirror_of[array]];
        asked[record] = more;
        if (most[record] < 0 || most[record] + more > run.capacity[record])
        {
            check(cudaMemcpy(mirror.host, mirror.here, mirror.bytes, cudaMemcpyDeviceToHost));
            most[record] = *(const int32_t*)mirror.host;
        }
        short_of_room = most[record] + more > run.capacity[record];
        if (short_of_room) return false;
        most[record] += more;
        note_record(record);
        return true;
    }
    void note_record(int record);
};

extern "C" void place_space(int64_t which, void* where);
static Gpu& gpu_of(Run& run) { return *(Gpu*)run.states; }
const size_t MOST_GRAPHS = 64;

// Runs of one program whose clocks are the same: the first is the one whose loop goes through the steps.
class Together
{
    // A step's launches, all at once, and what the host has to take note of.
    struct Recorded
    {
        std::unique_ptr<Graph> graph;
        std::vector<int> written, records, pathways;
        int64_t settled;
    };
    std::map<std::vector<uint8_t>, Recorded> graphs;  // by the clocks that are due
    int64_t settled = 0;  // how often arrays have been copied to the host

    // The clocks that are due, and whether somebody may look at the arrays after their step.
    std::vector<uint8_t> due() const
    {
        const Run& run = *all[0];
        std::vector<uint8_t> found(run.current, run.current + run.clock_count);
        for (int64_t k = 0; k < run.clock_count; k++) found[k] |= (uint8_t)(found[k] && may_leave(run, k) ? 2 : 0);
        return found;
    }
    bool have_room(const Recorded& step) const
    {
        for (Run* const run : all)
            if (!gpu_of(*run).has_room(step.records)) return false;
        return true;
    }

public:
    std::vector<Run*> all;
    Launches launches;
    Recorded recording;
    bool plain = false;    // whether this step has something that does not come again
    bool at_once = false;  // whether it is launched at once
    bool moved = true;     // whether kernels do not see the runs as they are
    int64_t replays = 0;

    void join(Run& run, const std::shared_ptr<Together>& self)
    {
        all.push_back(&run);
        gpu_of(run).all = self;
        int number = 0, processors = 1;
        gpu_of(run).check(cudaGetDevice(&number));
        gpu_of(run).check(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, number));
        const int64_t blocks = 8*processors/(int64_t)all.size();
        for (Run* const one : all) gpu_of(*one).blocks = blocks < 1 ? 1 : blocks;
    }
    // Launch this step at once, if it is one that has been recorded and needs nothing else; whether it was.
    bool replayed()
    {
        plain = at_once = false;
        recording = Recorded{};
        if (all[0]->profile) return false;
        const auto found = graphs.find(due());
        if (found == graphs.end())
        {
            if (graphs.size() < MOST_GRAPHS) recording.graph.reset(new Graph());
            return false;
        }
        Recorded& step = found->second;
        if (!have_room(step)) return false;
        see();
        gpu_of(*all[0]).check(step.graph->launch());
        for (Run* const run : all)
        {
            gpu_of(*run).done(step.records, step.pathways);
            if (step.settled != settled) gpu_of(*run).mark(step.written);
        }
        step.settled = settled;
        replays++;
        return at_once = true;
    }
    void end_step()
    {
        if (!recording.graph || plain || has_failed() || !recording.graph->finished()) return;
        recording.settled = settled;
        graphs[due()] = std::move(recording);
    }
    void has_settled() { settled++; }
    // Whether the device has failed for one of the runs; why, is what the first says.
    bool has_failed()
    {
        std::string& failure = gpu_of(*all[0]).failure;
        for (Run* const run : all)
            if (failure.empty()) failure = gpu_of(*run).failure;
        return !failure.empty();
    }
    // Launch what all runs have asked for.
    void go()
    {
        see();
        gpu_of(*all[0]).check(launches.go(recording.graph.get(), (int64_t)all.size()));
    }
    // Have kernels see the runs as they are.
    void see()
    {
        if (!moved) return;
        std::vector<Device> seen;
        for (Run* const run : all) seen.push_back(gpu_of(*run).device);
        gpu_of(*all[0]).check(cudaMemcpyToSymbol(runs, seen.data(), seen.size()*sizeof(Device)));
        moved = false;
    }
    // Have all runs where the first is.
    void follow()
    {
        for (Run* const run : all)
        {
            run->position = all[0]->position;
            for (int64_t k = 0; k < run->clock_count; k++)
            {
                *run->clocks[k].timestep = *all[0]->clocks[k].timestep;
                *run->clocks[k].t = *all[0]->clocks[k].t;
            }
        }
    }
};

template <class... P, class... Values>
void Gpu::launch(void (*const kernel)(P...), const int64_t blocks, const int64_t threads, const Values&... values)
{
    all->launches.ask(kernel, blocks, threads, std::tuple<P...>(static_cast<P>(values)...));
}
template <class... Given> void Gpu::launch_once(const Given&... given)
{
    all->plain = true;
    launch(given...);
}
void Gpu::flags(const size_t units)
{
    if (units <= flags_room) return;
    take(device.flags, flags_room);
    take(device.counts, room_for_chunks(flags_room));
    flags_room = units;
    device.flags = (uint8_t*)give(units);
    device.counts = (int32_t*)give(room_for_chunks(units));
    all->moved = true;
}
void Gpu::written(const std::vector<int>& numbers)
{
    mark(numbers);
    if (all->all[0] == &run && all->recording.graph)
        all->recording.written.insert(all->recording.written.end(), numbers.begin(), numbers.end());
}
void Gpu::note_record(const int record)
{
    if (all->all[0] == &run) all->recording.records.push_back(record);
}
void Gpu::aged(const int pathway)
{
    run.pathways[pathway].age++;
    if (all->all[0] == &run) all->recording.pathways.push_back(pathway);
}
// A step of all runs; false where one of them has to wait for an array to grow, or the device has failed.
template <bool (*step)(Run&)> static bool each(Run& first)
{
    Together& together = *gpu_of(first).all;
    if (together.has_failed()) return false;
    bool done = true;
    for (Run* const run : together.all)
    {
        together.launches.next_run();
        done = step(*run) && done;
    }
    if (done) together.go();
    else together.launches.forget();
    if (first.profile) gpu_of(first).check(cudaDeviceSynchronize());
    return done && !together.has_failed();
}
// Events of so many units for which a record gets room: of several steps, as the device is asked how many there are
// whenever all units might have had one since; of 64 where that is no more than some 200 MB.
static int32_t wanted(const int64_t units)
{
    const int64_t steps = (1 << 24)/units;
    return (int32_t)(units*(steps < 4 ? 4 : steps > 64 ? 64 : steps));
}
static void tick_all(Run& run)
{
    Gpu& gpu = gpu_of(run);
    if (!gpu.all->at_once)
    {
        for (int64_t first = 0; first < run.clock_count; first += 64)
        {
            uint64_t due = 0;
            for (int64_t k = first; k < run.clock_count && k < first + 64; k++) due |= (uint64_t)(run.current[k] != 0) << (k - first);
            if (due) gpu.launch(tick_on_device, 1, 1, first, due);
            gpu.all->go();
        }
        gpu.all->end_step();
    }
    tick(run);
}
static void enter(Run& run)
{
    Together& together = *gpu_of(run).all;
    for (Run* const one : together.all) gpu_of(*one).enter();
    together.moved = true;  // another program may have had its runs there
}
static Status failed_or(Run& run, const Status status) { return gpu_of(run).all->has_failed() ? FAILED : status; }
// Nothing is copied from a device that has failed.
static Status settle(Run& run)
{
    if (gpu_of(run).all->has_failed()) return FAILED;
    gpu_of(run).settle();
    gpu_of(run).all->has_settled();
    return failed_or(run, DONE);
}
static Status leave(Run& run, const Status status)
{
    Gpu& gpu = gpu_of(run);
    gpu.check(cudaDeviceSynchronize());
    if (gpu.all->has_failed()) return FAILED;
    if (status == PYTHON) settle(run);
    gpu.leave();
    gpu.all->follow();
    return failed_or(run, status);
}
extern "C" int begin(Run* const run, const Counts* const counts)
{
    run->states = (void**)new Gpu(*run, *counts);
    const auto alone = std::make_shared<Together>();
    alone->join(*run, alone);
    return failed_or(*run, DONE);
}
// Have all that it needs on the device, so that its first step finds it there.
extern "C" int prepare(Run* const run)
{
    enter(*run);
    return failed_or(*run, DONE);
}
// Let a run go on with another one, which is of the same program and has the same clocks.
extern "C" void join(Run* const first, Run* const run) { gpu_of(*first).all->join(*run, gpu_of(*first).all); }
extern "C" int32_t short_of_room(Run* const run) { return gpu_of(*run).short_of_room; }
extern "C" void space(Run* const run, const int64_t number, void* const host, const int64_t bytes)
{
    place_space(number, gpu_of(*run).space(number, host, bytes));
}
extern "C" void end(Run* const run) { delete &gpu_of(*run); }
extern "C" void changed(Run* const run) { gpu_of(*run).changed(); }
extern "C" int settle(Run* const run) { return settle(*run); }
extern "C" const char* failure(Run* const run) { return gpu_of(*run).failure.c_str(); }
extern "C" int64_t replays(Run* const run) { return gpu_of(*run).all->replays; }
extern "C" int64_t allocated(Run* const run) { return gpu_of(*run).allocated; }
// The units of a pathway whose spikes are under way, as its ring has them, and the row that is now.
extern "C" int under_way(Run* const run, const int64_t number, int32_t* const units, int32_t* const counts, int64_t* const now)
{
    if (gpu_of(*run).all->has_failed()) return FAILED;
    Gpu& gpu = gpu_of(*run);
    const Pathway& path = run->pathways[number];
    const Ring& ring = gpu.of_pathways[number];
    gpu.check(cudaMemcpy(units, ring.units, path.rows*ring.width*sizeof(int32_t), cudaMemcpyDeviceToHost));
    gpu.check(cudaMemcpy(counts, ring.counts, path.rows*sizeof(int32_t), cudaMemcpyDeviceToHost));
    gpu.check(cudaMemcpy(now, ring.now, sizeof *now, cudaMemcpyDeviceToHost));
    return failed_or(*run, DONE);
}
