"""Generated C++ for a program's time steps, called through ctypes."""
