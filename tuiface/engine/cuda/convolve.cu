// A 3x3 convolution in float32 whose bits depend on nothing but its inputs: the order of its sums is fixed by the shapes
// of one sample, it needs no workspace, and no library chooses an algorithm. cuDNN promises the same and does not keep
// it where memory is short (docs/performance.md).
//
// Legend: N = batch, H/W = height/width of the input, I/O = input/output channels.
#include "elements.cuh"

// x [N, H, W, I], w [9, I, O] -> y [pieces, N, H, W, O]; with `up` the four phases of the stride-2 transposed
// convolution, [pieces, N, H + 1, W + 1, 2, 2, O]. I is a multiple of 8, O of WIDTH.
// A block makes 128 pixels x WIDTH channels with 2 WIDTH threads, a thread 8 x 8 of them; the grid is pixels / 128,
// O / WIDTH, pieces * phases. Each piece sums its share of (tap, input channel), in order.
template <int WIDTH>
DEVICE void convolve(const float* __restrict__ x, const float* __restrict__ w, float* __restrict__ y, int N, int H, int W,
                     int I, int O, int up, int pieces) {
    const int DEPTH = 8, STRIDE = 132, LOADS = 128 / WIDTH;  // LOADS: float4 of x that a thread brings in a step
    __shared__ float4 pixels_tile[2][DEPTH * STRIDE / 4], weights_tile[2][DEPTH * WIDTH / 4];
    const int t = threadIdx.x, height = H + up, width = W + up, M = N * height * width;
    const int phase = up ? blockIdx.z % 4 : 0, piece = up ? blockIdx.z / 4 : blockIdx.z, a = phase / 2, b = phase % 2;
    const int across = up ? 2 - b : 3, taps = (up ? 2 - a : 3) * across, chunks = I / DEPTH;
    const int from = taps * chunks * piece / pieces, to = taps * chunks * (piece + 1) / pieces;
    const int first = blockIdx.x * 128, channel = blockIdx.y * WIDTH;
    int is[LOADS], js[LOADS];
    long long starts[LOADS];
    for (int p = 0; p < LOADS; p++) {
        const int m = first + (t + p * 2 * WIDTH) / 2;
        is[p] = m < M ? m / width % height : -9, js[p] = m % width;
        starts[p] = (((long long)(m / (width * height)) * H + is[p]) * W + js[p]) * I + t % 2 * 4;
    }
    float sums[8][8] = {};
    float4 next_pixels[LOADS], next_weights = make_float4(0, 0, 0, 0);
    for (int s = from - 1; s < to; s++) {
        if (s + 1 < to) {  // bring the next step's tiles while this one's are summed
            const int tap = (s + 1) / chunks, k = (s + 1) % chunks * DEPTH, u = tap / across, v = tap % across;
            // An even output of the transposed convolution has taps 2 and 0 at inputs i - 1 and i, an odd one tap 1 at i.
            const int dy = up ? (a ? 0 : u - 1) : u - 1, dx = up ? (b ? 0 : v - 1) : v - 1;
            const int kh = up ? (a ? 1 : 2 - 2 * u) : u, kw = up ? (b ? 1 : 2 - 2 * v) : v;
#pragma unroll
            for (int p = 0; p < LOADS; p++) {
                const int i = is[p] + dy, j = js[p] + dx;
                const bool inside = i >= 0 && i < H && j >= 0 && j < W;
                next_pixels[p] = inside ? *(const float4*)(x + starts[p] + (dy * W + dx) * I + k) : make_float4(0, 0, 0, 0);
            }
            const long long row = (long long)(kh * 3 + kw) * I + k + t / (WIDTH / 4);
            next_weights = *(const float4*)(w + row * O + channel + t % (WIDTH / 4) * 4);
        }
        if (s >= from) {
            const float4 *as = pixels_tile[s & 1], *bs = weights_tile[s & 1];
            const int row = t / (WIDTH / 8), column = t % (WIDTH / 8);
#pragma unroll
            for (int k = 0; k < DEPTH; k++) {
                const float4 p = as[k * STRIDE / 4 + row], q = as[k * STRIDE / 4 + 16 + row];
                const float4 e = bs[k * WIDTH / 4 + column], f = bs[k * WIDTH / 4 + WIDTH / 8 + column];
                const float left[8] = {p.x, p.y, p.z, p.w, q.x, q.y, q.z, q.w};
                const float right[8] = {e.x, e.y, e.z, e.w, f.x, f.y, f.z, f.w};
#pragma unroll
                for (int m = 0; m < 8; m++)
#pragma unroll
                    for (int n = 0; n < 8; n++) sums[m][n] = fmaf(left[m], right[n], sums[m][n]);
            }
        }
        if (s + 1 < to) {
            float* as = (float*)pixels_tile[(s + 1) & 1];
#pragma unroll
            for (int p = 0; p < LOADS; p++) {
                float* at = as + t % 2 * 4 * STRIDE + (t + p * 2 * WIDTH) / 2;
                at[0] = next_pixels[p].x, at[STRIDE] = next_pixels[p].y;
                at[2 * STRIDE] = next_pixels[p].z, at[3 * STRIDE] = next_pixels[p].w;
            }
            weights_tile[(s + 1) & 1][t] = next_weights;
        }
        __syncthreads();
    }
#pragma unroll
    for (int m = 0; m < 8; m++) {
        const int pixel = first + m / 4 * 64 + t / (WIDTH / 8) * 4 + m % 4;
        if (pixel >= M) continue;
        float* at = y + (((long long)piece * M + pixel) * (up ? 4 : 1) + phase) * O + channel + t % (WIDTH / 8) * 4;
        *(float4*)at = make_float4(sums[m][0], sums[m][1], sums[m][2], sums[m][3]);
        *(float4*)(at + WIDTH / 2) = make_float4(sums[m][4], sums[m][5], sums[m][6], sums[m][7]);
    }
}

#define CONVOLVE(WIDTH, BLOCKS)                                                                                        \
    extern "C" __global__ void __launch_bounds__(2 * WIDTH, BLOCKS)                                                    \
        convolve_##WIDTH(const float* x, const float* w, float* y, int N, int H, int W, int I, int O, int up, int pieces) { \
        convolve<WIDTH>(x, w, y, N, H, W, I, O, up, pieces);                                                           \
    }
CONVOLVE(32, 8) CONVOLVE(64, 4) CONVOLVE(128, 2)

// y[v] = the sum of x[piece, v] over the pieces, in order: float32 [pieces, 4 vectors] -> [4 vectors].
KERNEL(256) sum_pieces(const float4* x, float4* y, int pieces, int vectors) {
    const int v = blockIdx.x * blockDim.x + threadIdx.x;
    if (v >= vectors) return;
    float4 sum = x[v];
    for (int piece = 1; piece < pieces; piece++) {
        const float4 more = x[(long long)piece * vectors + v];
        sum.x += more.x, sum.y += more.y, sum.z += more.z, sum.w += more.w;
    }
    y[v] = sum;
}
