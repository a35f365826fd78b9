// What the CUDA toolkit has, by the names that device.hpp uses; emulated.hpp has the same for a machine without a GPU.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>
#include <cuda_runtime.h>

// Tell a function of the script where an array is.
#define BIND(symbol, where) cudaMemcpyToSymbol(symbol, &where, sizeof where)
constexpr int WARP = 32, THREADS = 8*WARP, LANES = WARP, CHUNK = 4*THREADS, MOST_CHUNKS = 512, MOST_BLOCKS = 1 << 16;
constexpr int TILE_ROWS = 8, TILE_COLS = 32;

// The threads of a warp that have something, a bit each.
static __device__ __forceinline__ unsigned votes(const bool has) { return __ballot_sync(0xffffffffu, has); }
static __device__ __forceinline__ int bits_of(const unsigned votes) { return __popc(votes); }

template <class T> static __device__ __forceinline__ void add(T* const place, const T value) { atomicAdd(place, value); }
static __device__ __forceinline__ void add(int64_t* const place, const int64_t value)
{
    atomicAdd((unsigned long long*)place, (unsigned long long)value);
}

template <class... P> static cudaError_t launch(void (*const kernel)(P...), const unsigned blocks, const unsigned runs, const unsigned threads, const std::tuple<P...>& given)
{
    std::apply([=](const P&... values) { kernel<<<dim3(blocks, runs), threads>>>(values...); }, given);
    return cudaGetLastError();
}
// Launches that are made once, and then all at once as often as they are wanted.
class Graph
{
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t ready = nullptr;
    cudaGraphNode_t last = nullptr;
    bool good = true;

    // A step that cannot be a graph is launched as before: that is no error of a launch.
    bool done(const cudaError_t error)
    {
        if (error != cudaSuccess) cudaGetLastError();
        return good = good && error == cudaSuccess;
    }
public:
    Graph() { done(cudaGraphCreate(&graph, 0)); }
    ~Graph()
    {
        if (ready) cudaGraphExecDestroy(ready);
        if (graph) cudaGraphDestroy(graph);
    }
    template <class... P> void add(void (*const kernel)(P...), const unsigned blocks, const unsigned runs, const unsigned threads, std::tuple<P...> given)
    {
        if (!good) return;
        cudaGraphNode_t node = nullptr;
        cudaKernelNodeParams what{};
        std::apply([&](P&... values)
        {
            void* addresses[] = {&values...};
            what.func = (void*)kernel;
            what.gridDim = dim3(blocks, runs);
            what.blockDim = dim3(threads);
            what.kernelParams = addresses;
            done(cudaGraphAddKernelNode(&node, graph, last ? &last : nullptr, last ? 1 : 0, &what));
        }, given);
        last = node;
    }
    // Whether it can be launched.
    bool finished() { return good && done(cudaGraphInstantiate(&ready, graph, 0)); }
    cudaError_t launch() { return cudaGraphLaunch(ready, 0); }
};
