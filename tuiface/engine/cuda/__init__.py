"""Our own CUDA kernels: built for the card at hand, loaded through the driver, launched on torch's stream.

elements.cuh, features.cu, convolve.cu, latents.cu, training.cu    the kernels
build.py       from sources to machine code, kept in the cache by digest
driver.py      machine code to functions, and their launch
kernels.py     each kernel as a function of tensors
filtering.py   the low-pass filter, differentiable any number of times
activation.py  styles, noise, bias, leaky ReLU and clamp in one pass, differentiable twice
synthesis.py   a synthesis network of these
graphs.py      its captured form

Nothing here is imported by `import tuiface.engine`, and no import builds anything.
"""
