// What happens to latents: the mapping's layers, all styles of a network at once, and their demodulation.
//
// A warp makes one output of every sample: each lane sums every 32nd product, then the lanes are summed in one order, so
// that a sample's bits do not depend on the others beside it. Source: Karras et al. 2020 (arXiv 1912.04958), eq. 1-3.
//
// Legend: N = batch, I/O = inputs/outputs of a layer, L = rows of W+, S = styles of all layers, D = demodulated channels
// of all layers.
#include "elements.cuh"

// y[n, o] = weight[o] . x[n, row_of[o]] + bias[o] + step[n, o], through a leaky ReLU with `leaky`.
// x [N, L, I], weight [O, I], bias [O], row_of int [O] (null: row 0), step [N, O] (null: none), y [N, O].
KERNEL(256) dense(const float* x, const float* weight, const float* bias, const int* row_of, const float* step, float* y,
                  int N, int L, int I, int O, int leaky) {
    const int o = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (o >= O) return;
    const float* a = weight + (long long)o * I;
    for (int n = 0; n < N; n++) {
        const float* from = x + (n * L + (row_of ? row_of[o] : 0)) * I;
        float sum = 0;
        for (int i = lane; i < I; i += 32) sum = fmaf(a[i], from[i], sum);
        sum = sum_warp(sum) + bias[o];
        if (step) sum += step[n * O + o];
        if (lane == 0) y[n * O + o] = leaky && sum < 0 ? sum * 0.2f : sum;
    }
}

// y[n] = x[n] / sqrt(mean of its squares + 1e-8), float32 [N, I]: the second moment of z, a warp a sample.
KERNEL(256) normalize(const float* x, float* y, int N, int I) {
    const int n = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (n >= N) return;
    float sum = 0;
    for (int i = lane; i < I; i += 32) sum = fmaf(x[n * I + i], x[n * I + i], sum);
    const float factor = 1.f / sqrtf(sum_warp(sum) / I + 1e-8f);
    for (int i = lane; i < I; i += 32) y[n * I + i] = x[n * I + i] * factor;
}

// scales[n, s] = styles[n, s] / peaks[n, k], peaks[n, k] = the largest |style| of layer k: what scales activations in
// float16, where features times styles would leave the range. A warp a layer; layers int [K, 2]: where its styles start,
// how many.
KERNEL(256) normalize_styles(const float* styles, const int* layers, float* scales, float* peaks, int N, int S, int K) {
    const int k = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (k >= K) return;
    for (int n = 0; n < N; n++) {
        const float* from = styles + n * S + layers[k * 2];
        float peak = 0;
        for (int i = lane; i < layers[k * 2 + 1]; i += 32) peak = fmaxf(peak, fabsf(from[i]));
        for (int distance = 16; distance; distance /= 2)
            peak = fmaxf(peak, __shfl_xor_sync(WHOLE_WARP, peak, distance));
        peak = fmaxf(peak, 1e-8f);
        for (int i = lane; i < layers[k * 2 + 1]; i += 32) scales[n * S + layers[k * 2] + i] = from[i] / peak;
        if (lane == 0) peaks[n * K + k] = peak;
    }
}

// factor[n, d] = sqrt(2) / sqrt(sum over i of scale[n, i]^2 * square_sum[d, i] + epsilon[d]): demodulation (eq. 3) times
// the gain of the leaky ReLU that follows. rows int [D, 4]: where d's sums start, where its styles start, how many, and
// of which layer they are. peaks [N, K]: what `normalize_styles` divided by; null: nothing was.
KERNEL(256) demodulation(const float* scales, const float* square_sums, const int* rows, const float* epsilon,
                         const float* peaks, float* factors, int N, int S, int D, int K) {
    const int d = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (d >= D) return;
    const int* row = rows + d * 4;
    const float* sums = square_sums + row[0];
    for (int n = 0; n < N; n++) {
        const float* scale = scales + n * S + row[1];
        const float peak = peaks ? peaks[n * K + row[3]] : 1.f;
        float sum = 0;
        for (int i = lane; i < row[2]; i += 32) sum = fmaf(scale[i] * scale[i], sums[i], sum);
        sum = sum_warp(sum) + epsilon[d] / (peak * peak);
        if (lane == 0) factors[n * D + d] = sqrtf(2.f) / sqrtf(sum);
    }
}
