// What training does between convolutions, and its gradients, in one element type: styles, demodulation, noise, bias,
// leaky ReLU and clamp in one pass over the features, and one back. Compiled once for each ELEMENT.
//
// Sums are float32, in an order that the shapes alone fix, without atomics. NHWC throughout.
// Source: Karras et al. 2020 (arXiv 1912.04958), eq. 1-3; its derivatives: activation.py.
//
// Legend: N = batch, A = area (height times width), C = channels, CV = C / VALUES.
#include "elements.cuh"

typedef ELEMENT Element;
const int VALUES = Element::VALUES;

// The layout is mirrored by `Terms` in kernels.py. A null address leaves its term out.
struct Terms {
    const float* factor;    // [N, C], of the first map; null: 1
    const float* second;    // [N, C], of the second map
    const float* bias;      // [C]
    const float* noise;     // [1 or N, A], samples `noise_stride` apart
    const float* strength;  // [1], of the noise
    int noise_stride;
    float clamp;
};

// What a thread works on: a vector of channels, in every rows-th pixel of a piece of one sample. The grid is
// (samples x pieces, groups of columns); a block is `rows` pixels high and `columns` vectors wide.
struct Share {
    int n, piece, row, rows, vector, from, to;
    DEVICE Share(int A, int CV, int columns, int pieces, int length) {
        n = blockIdx.x / pieces, piece = blockIdx.x % pieces;
        rows = blockDim.x / columns, row = threadIdx.x / columns;
        vector = blockIdx.y * columns + threadIdx.x % columns;
        from = piece * length + row, to = piece * length + length < A ? piece * length + length : A;
        if (row >= rows || vector >= CV) to = from;  // of the block's last threads; they go on to where all wait
    }
};

DEVICE void unpack_or_zero(const uint4* from, long long at, float* v) {
    Element::unpack(from ? from[at] : make_uint4(0, 0, 0, 0), v);
}

DEVICE void load_or_fill(const float* from, int at, float otherwise, float* v) {
    if (from) return load_floats<VALUES>(from + at, v);
#pragma unroll
    for (int k = 0; k < VALUES; k++) v[k] = otherwise;
}

// The limit as the element type holds it: what was clamped is found again by it.
DEVICE float stored_limit(float clamp) {
    float v[VALUES];
#pragma unroll
    for (int k = 0; k < VALUES; k++) v[k] = clamp;
    Element::unpack(Element::pack(v), v);
    return v[0];
}

// The slope of clamp after leaky ReLU where it gave `kept`.
DEVICE float slope(float kept, float limit) { return fabsf(kept) >= limit ? 0.f : kept > 0 ? 1.f : 0.2f; }

// y = factor * u + second * v + bias + strength * noise, through leaky ReLU and clamp with `activates`, or times the
// slope of where they gave `kept` (null: times 1). u, v (null: 0), kept, y [N, A, C].
KERNEL(256) combine(const uint4* __restrict__ u, const uint4* __restrict__ v, const uint4* __restrict__ kept, uint4* y,
                    int A, int C, int columns, int pieces, int length, int activates, Terms terms) {
    const int CV = C / VALUES;
    const Share share(A, CV, columns, pieces, length);
    if (share.from >= share.to) return;
    float factor[VALUES], second[VALUES], bias[VALUES];
    load_or_fill(terms.factor, share.n * C + share.vector * VALUES, 1.f, factor);
    load_or_fill(terms.second, share.n * C + share.vector * VALUES, 0.f, second);
    load_or_fill(terms.bias, share.vector * VALUES, 0.f, bias);
    const float* noise = terms.noise ? terms.noise + (long long)share.n * terms.noise_stride : 0;
    const float strength = noise ? *terms.strength : 0.f, limit = stored_limit(terms.clamp);
#pragma unroll 2
    for (int pixel = share.from; pixel < share.to; pixel += share.rows) {
        const long long at = ((long long)share.n * A + pixel) * CV + share.vector;
        const float added = noise ? noise[pixel] * strength : 0.f;
        float a[VALUES], b[VALUES], k[VALUES];
        unpack_or_zero(u, at, a);
        unpack_or_zero(v, at, b);
        if (kept) Element::unpack(kept[at], k);
#pragma unroll
        for (int i = 0; i < VALUES; i++) {
            a[i] = fmaf(a[i], factor[i], bias[i] + added);
            if (v) a[i] = fmaf(b[i], second[i], a[i]);
            if (activates) a[i] = clamp_value(a[i] < 0 ? a[i] * 0.2f : a[i], terms.clamp);
            if (kept) a[i] *= slope(k[i], limit);
        }
        y[at] = Element::pack(a);
    }
}

// The sum of v over the block's rows, by row 0 to `to` [VALUES].
DEVICE void sum_rows(const float* v, const Share& share, int columns, float* to) {
    __shared__ float tile[VALUES * 256];
    __syncthreads();  // the sum before this one has been read
#pragma unroll
    for (int k = 0; k < VALUES; k++) tile[k * 256 + threadIdx.x] = v[k];
    for (int half = 1; half < share.rows; half *= 2) {
        __syncthreads();
        if (share.row % (2 * half) == 0 && share.row + half < share.rows)
#pragma unroll
            for (int k = 0; k < VALUES; k++) tile[k * 256 + threadIdx.x] += tile[k * 256 + threadIdx.x + half * columns];
    }
    if (share.row == 0 && to)
#pragma unroll
        for (int k = 0; k < VALUES; k++) to[k] = tile[k * 256 + threadIdx.x];
}

// With g = grad times the slope of where leaky ReLU and clamp gave `kept` (null: grad itself):
// dx = factor * g, and for each piece of each sample the sums of g * x, of g, and of g * noise, [N, pieces, C] each.
// grad, kept, x, dx [N, A, C]; what is null is not read or not written.
KERNEL(256) gradients(const uint4* __restrict__ grad, const uint4* __restrict__ kept, const uint4* __restrict__ x,
                      uint4* dx, float* by_factor, float* by_bias, float* by_noise, int A, int C, int columns, int pieces,
                      int length, Terms terms) {
    const int CV = C / VALUES;
    const Share share(A, CV, columns, pieces, length);
    const bool works = share.from < share.to;
    float factor[VALUES], sums[3][VALUES] = {};
    if (works) load_or_fill(terms.factor, share.n * C + share.vector * VALUES, 1.f, factor);
    const float* noise = by_noise ? terms.noise + (long long)share.n * terms.noise_stride : 0;
    const float limit = stored_limit(terms.clamp);
#pragma unroll 2
    for (int pixel = share.from; pixel < share.to; pixel += share.rows) {
        const long long at = ((long long)share.n * A + pixel) * CV + share.vector;
        float g[VALUES], k[VALUES], b[VALUES];
        Element::unpack(grad[at], g);
        if (kept) Element::unpack(kept[at], k);
        if (by_factor) Element::unpack(x[at], b);
        const float added = noise ? noise[pixel] : 0.f;
#pragma unroll
        for (int i = 0; i < VALUES; i++) {
            if (kept) g[i] *= slope(k[i], limit);
            if (by_factor) sums[0][i] = fmaf(g[i], b[i], sums[0][i]);
            sums[1][i] += g[i];
            sums[2][i] = fmaf(g[i], added, sums[2][i]);
            g[i] *= factor[i];
        }
        if (dx) dx[at] = Element::pack(g);
    }
    const bool exists = share.vector < CV;
    const long long to = ((long long)share.n * pieces + share.piece) * C + share.vector * VALUES;
    if (by_factor) sum_rows(sums[0], share, columns, exists ? by_factor + to : 0);
    if (by_bias) sum_rows(sums[1], share, columns, exists ? by_bias + to : 0);
    if (by_noise) sum_rows(sums[2], share, columns, exists ? by_noise + to : 0);
}
