// Bytes that the GPU reads and writes in a second, copying 1 GiB in float4: the limit of its memory.
#include <cstdio>
#include <cuda_runtime.h>

__global__ void copy(const float4* __restrict from, float4* __restrict to, const size_t count)
{
    for (size_t n = (size_t)blockIdx.x*blockDim.x + threadIdx.x; n < count; n += (size_t)gridDim.x*blockDim.x) to[n] = from[n];
}

int main()
{
    const size_t bytes = size_t(1) << 30, count = bytes/sizeof(float4);
    float4 *from, *to;
    if (cudaMalloc(&from, bytes) || cudaMalloc(&to, bytes)) return 1;
    cudaMemset(from, 1, bytes);
    cudaEvent_t begin, end;
    cudaEventCreate(&begin);
    cudaEventCreate(&end);
    float best = 0;
    for (int round = 0; round < 20; round++)
    {
        cudaEventRecord(begin);
        copy<<<132*16, 512>>>(from, to, count);
        cudaEventRecord(end);
        cudaEventSynchronize(end);
        float milliseconds = 0;
        cudaEventElapsedTime(&milliseconds, begin, end);
        const float rate = 2*bytes/milliseconds*1e3f;
        if (rate > best) best = rate;
    }
    std::printf("%.6e\n", best);
    return cudaGetLastError() != cudaSuccess;
}
