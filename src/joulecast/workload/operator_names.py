"""Names of ATen operators, by how they are counted."""


def words(text: str) -> frozenset[str]:
    """The names in a text."""
    return frozenset(text.split())


# They launch no kernel: they describe memory in another way, or reserve it.
FREE = words(
    """
    detach detach_ alias lift lift_fresh _unsafe_view _reshape_alias empty empty_like
    empty_strided empty_permuted new_empty new_empty_strided resize_ set_ view_as_real
    view_as_complex is_same_size sym_size sym_numel sym_stride sym_storage_offset size stride
    _local_scalar_dense _assert_async _assert_scalar _assert_tensor_metadata device
    _is_any_true _is_all_true squeeze_ unsqueeze_ transpose_ t_ as_strided_ is_pinned
    _pin_memory rename
    """
)

# Copies and changes of order: they read and write, but compute nothing.
MOVES = words(
    """
    clone copy _to_copy contiguous cat stack roll flip constant_pad_nd reflection_pad1d
    reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d
    repeat repeat_interleave im2col col2im pixel_shuffle pixel_unshuffle channel_shuffle tril
    triu tril_ triu_ select_scatter slice_scatter diagonal_scatter as_strided_scatter sort
    topk argsort unfold_backward scatter scatter_add scatter_reduce index_add index_put
    index_copy nonzero masked_select bincount unique_consecutive _unique2 permute_copy
    view_copy expand_copy native_channel_shuffle reflection_pad1d_backward
    reflection_pad2d_backward reflection_pad3d_backward replication_pad2d_backward
    _pad_circular kthvalue median searchsorted bucketize one_hot split_with_sizes_copy
    select_backward slice_backward diagonal_backward
    """
)

# They only write.
FILLS = words(
    """
    zeros ones full zeros_like ones_like full_like new_zeros new_ones new_full zero_ fill_
    arange linspace eye scalar_tensor zero tril_indices triu_indices range fill logspace
    """
)

# In place, only at the indices.
SCATTERS = words(
    """
    index_put_ _index_put_impl_ _unsafe_index_put scatter_ scatter_add_ index_add_
    scatter_reduce_ index_copy_ index_fill_ masked_scatter_
    """
)

# One FLOP per element of the output, like those that torch tags as pointwise.
ELEMENTWISE = words(
    """
    floor_divide threshold_backward gelu_backward silu_backward hardswish hardswish_backward
    native_dropout
    native_dropout_backward log_sigmoid_forward log_sigmoid_backward _prelu_kernel
    _prelu_kernel_backward glu_backward masked_fill masked_fill_ lerp addcmul addcdiv where
    cumsum cumprod logcumsumexp _fused_dropout isnan isinf mse_loss_backward
    smooth_l1_loss_backward huber_loss_backward binary_cross_entropy
    binary_cross_entropy_backward upsample_bilinear2d upsample_bilinear2d_backward
    upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_nearest1d_backward
    upsample_nearest2d_backward upsample_nearest3d_backward upsample_linear1d
    upsample_linear1d_backward upsample_trilinear3d upsample_trilinear3d_backward
    upsample_bicubic2d upsample_bicubic2d_backward _upsample_bilinear2d_aa
    _upsample_bicubic2d_aa _upsample_nearest_exact2d _upsample_nearest_exact2d_backward
    _upsample_bicubic2d_aa_backward _upsample_bilinear2d_aa_backward
    grid_sampler_2d grid_sampler_2d_backward grid_sampler_3d
    rrelu_with_noise _thnn_fused_lstm_cell _thnn_fused_gru_cell
    fake_quantize_per_tensor_affine_cachemask _fft_r2c _fft_c2r _fft_c2c angle complex polar
    _cdist_forward _cdist_backward max_unpool2d _nested_tensor_from_mask elu_backward
    leaky_relu_backward hardtanh_backward _foreach_add_ _foreach_mul_ _euclidean_dist renorm
    soft_margin_loss_backward hardsigmoid_backward softplus_backward tanh_backward
    sigmoid_backward mish_backward binary_cross_entropy_with_logits softplus celu
    """
)

# One FLOP per element of the first argument.
REDUCTIONS = words(
    """
    histc sum mean var std var_mean std_mean amax amin max min argmax argmin prod norm
    linalg_vector_norm logsumexp any all nansum count_nonzero cummax cummin _linalg_det trace
    aminmax dist mse_loss smooth_l1_loss huber_loss _aminmax
    """
)

# Normalization.
NORMS = words(
    """
    native_layer_norm native_group_norm _fused_rms_norm local_response_norm
    _weight_norm_interface
    """
)

NORM_BACKWARDS = words(
    """
    native_layer_norm_backward native_group_norm_backward _fused_rms_norm_backward
    _weight_norm_interface_backward
    """
)

# Normalization over the batch.
BATCH_NORMS = words(
    """
    native_batch_norm cudnn_batch_norm _native_batch_norm_legit batch_norm_with_update
    _native_batch_norm_legit_no_training _native_batch_norm_legit_functional
    _batch_norm_no_update _batch_norm_with_update
    """
)

# grad, x, ...
BATCH_NORM_BACKWARDS = words("native_batch_norm_backward batch_norm_backward")

SOFTMAX = words("_softmax _log_softmax _safe_softmax")
SOFTMAX_BACKWARDS = words("_softmax_backward_data _log_softmax_backward_data")
ADAPTIVE_POOLS = words(
    "_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool2d adaptive_max_pool3d"
)
EMBEDDING_BACKWARDS = words(
    "embedding_dense_backward _embedding_bag_backward _embedding_bag_dense_backward"
)
GATHERS = words("index_select index _unsafe_index gather take")
POOL_BACKWARDS = words(
    """
    max_pool2d_with_indices_backward max_pool3d_with_indices_backward avg_pool2d_backward
    avg_pool3d_backward _adaptive_avg_pool2d_backward _adaptive_avg_pool3d_backward
    adaptive_max_pool2d_backward adaptive_max_pool3d_backward
    """
)
