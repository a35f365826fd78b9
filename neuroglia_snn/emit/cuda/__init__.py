"""Program -> CUDA: kernels of the same statements as the C++ loop's, and a machine that runs them."""
