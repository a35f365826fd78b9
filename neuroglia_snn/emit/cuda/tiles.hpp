// Tiles of a lattice: a block does one, and a border of it that other blocks do as well.

// A unit of a tile: its number, its row and column (beyond the lattice where that goes around), and whether the block
// writes its values.
struct Unit { int64_t number; int row, col, here; bool inside; };
// A lattice of ``rows`` by ``cols`` units with so much room around a tile.
template <int rows, int cols, bool around_rows, bool around_cols, int halo> struct Tile
{
    static constexpr int height = rows == 1 ? 1 : TILE_ROWS, width = rows == 1 ? TILE_ROWS*TILE_COLS : TILE_COLS;
    static constexpr int above = rows == 1 ? 0 : halo, stride = width + 2*halo, size = (height + 2*above)*stride;
    static constexpr int across = (cols + width - 1)/width, count = across*((rows + height - 1)/height);
    const int row, col;  // of its first unit

    __device__ Tile() : row((int)blockIdx.x/across*height), col((int)blockIdx.x % across*width) {}
    // Where the shared values of the unit in a row and column are.
    __device__ __forceinline__ int at(const int y, const int x) const { return (y - row + above)*stride + x - col + halo; }
    // Where those of a unit's neighbour are; it is the unit at the edge where there is none.
    template <int down, int right> __device__ __forceinline__ int beside(const Unit& unit) const
    {
        const int y = unit.row + down, x = unit.col + right;
        return at(around_rows ? y : y < 0 ? 0 : y < rows ? y : rows - 1, around_cols ? x : x < 0 ? 0 : x < cols ? x : cols - 1);
    }
    // The units of a tile, and of so many rows and columns around it.
    template <int border, class Each> __device__ __forceinline__ void each(const Each& done) const
    {
        constexpr int beyond = rows == 1 ? 0 : border, wide = width + 2*border, all = wide*(height + 2*beyond);
        for (int k = threadIdx.x; k < all; k += blockDim.x)
        {
            const int y = row - beyond + k/wide, x = col - border + k % wide;
            if (!around_rows && (y < 0 || y >= rows)) continue;
            if (!around_cols && (x < 0 || x >= cols)) continue;
            const int64_t of_row = around_rows ? (y % rows + rows) % rows : y, of_col = around_cols ? (x % cols + cols) % cols : x;
            const bool own = y >= row && x >= col && y < row + height && x < col + width && y < rows && x < cols;
            done(Unit{of_row*cols + of_col, y, x, at(y, x), own});
        }
    }
};
// Whether this thread is the one that ends a kernel, all of whose blocks have read what they read.
static __device__ bool ends(const Device& run)
{
    __syncthreads();
    if (threadIdx.x || atomicAdd(run.finished, 1) != (int32_t)gridDim.x - 1) return false;
    *run.finished = 0;
    return true;
}
// What has been written to the second place of an array is the array now.
static __device__ void exchange(const Device& run, const int array)
{
    void* const before = run.arrays[array];
    run.arrays[array] = run.copies[array];
    run.copies[array] = before;
}
// How many units of each chunk have a flag: a block a chunk.
static __global__ void count_flags(const int events)
{
    const Device& run = runs[blockIdx.y];
    const Chunk chunk(run.sizes[events] - 1, false);
    if (chunk.is_none()) return;
    int32_t found = 0;
    for (int64_t u = chunk.first + threadIdx.x; u < chunk.last; u += blockDim.x) found += run.flags[u];
    found = sum_of_block(found);
    if (threadIdx.x == 0) run.counts[blockIdx.x] = found;
}
