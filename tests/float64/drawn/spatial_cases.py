"""Windows, resampling and pads."""

from __future__ import annotations

import numpy as np

from tests.float64.drawn.case import Array, Case, Dice, Draw


def window(dice: Dice, rank: int, kernel: list[int], *, dilated: bool = True) -> dict[str, object]:
    """Strides that may pass the kernel, dilations, and pads or one of the automatic ones."""
    attributes: dict[str, object] = dice.some(
        strides=lambda: [dice.whole(1, 6) for _ in kernel],
    )
    if dilated and dice.maybe(0.4):
        attributes["dilations"] = [dice.whole(1, 3) for _ in kernel]
    auto_pad = dice.pick("NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
    if auto_pad != "NOTSET":
        attributes["auto_pad"] = auto_pad
    elif dice.maybe():
        attributes["pads"] = [dice.whole(0, max(k - 1, 0)) for k in kernel * 2]
    return attributes


def kernel_of(dice: Dice, rank: int) -> list[int]:
    return [dice.whole(1, 4) for _ in range(rank)]


def value(dice: Dice, channels: int, rank: int) -> Array:
    return dice.real(dice.whole(1, 2), channels, *(dice.whole(3, 11) for _ in range(rank)))


def conv(dice: Dice) -> Case:
    rank, group = dice.pick(1, 2, 2, 2, 3), dice.pick(1, 1, 2, 3)
    kernel = kernel_of(dice, rank)
    inner, outer = dice.whole(1, 3), dice.whole(1, 3)
    W = dice.real(group * outer, inner, *kernel)
    bias = [dice.real(group * outer)] if dice.maybe() else []
    attributes = {"group": group, **window(dice, rank, kernel)}
    return Case([value(dice, group * inner, rank), W, *bias], attributes, opset=11)


def conv_transpose(dice: Dice) -> Case:
    rank, group = dice.pick(1, 2, 2, 3), dice.pick(1, 1, 2)
    kernel = kernel_of(dice, rank)
    inner, outer = dice.whole(1, 3), dice.whole(1, 3)
    x = dice.real(1, group * inner, *(dice.whole(1, 6) for _ in range(rank)))
    W = dice.real(group * inner, outer, *kernel)
    attributes = {"group": group, **window(dice, rank, kernel)}
    strides = attributes.get("strides") or [1] * rank
    dilations = attributes.get("dilations") or [1] * rank
    if dice.maybe(0.4):
        pairs = zip(strides, dilations, strict=True)  # type: ignore[call-overload]
        attributes["output_padding"] = [dice.whole(0, max(s, d) - 1) for s, d in pairs]
    if dice.maybe(0.2):
        attributes.pop("pads", None)
        extents = zip(x.shape[2:], strides, strict=True)  # type: ignore[call-overload]
        attributes["output_shape"] = [n * s + dice.whole(0, 1) for n, s in extents]
    bias = [dice.real(group * outer)] if dice.maybe() else []
    return Case([x, W, *bias], attributes, opset=11)


def pool(dice: Dice, opset: int, *, dilated: bool, **more: object) -> Case:
    rank = dice.pick(1, 2, 2, 3)
    kernel = kernel_of(dice, rank)
    attributes = {"kernel_shape": kernel, **window(dice, rank, kernel, dilated=dilated), **more}
    if dice.maybe(0.4) and opset > 8:
        attributes["ceil_mode"] = 1
    return Case([value(dice, 2, rank)], attributes, opset=opset)


def max_pool(dice: Dice) -> Case:
    case = pool(dice, 12, dilated=True)
    return Case(case.inputs, case.attributes, opset=12, n_outputs=dice.pick(1, 2))


def average_pool(dice: Dice) -> Case:
    opset = dice.pick(7, 11, 19)
    include = dice.some(count_include_pad=lambda: dice.whole(0, 1))
    return pool(dice, opset, dilated=opset >= 19, **include)


def lp_pool(dice: Dice) -> Case:
    opset = dice.pick(11, 18)
    return pool(dice, opset, dilated=opset >= 18, p=dice.pick(1, 2, 3))


def global_pool(dice: Dice) -> Case:
    return Case([value(dice, 3, dice.pick(1, 2, 3))])


MODES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric")


def resize(dice: Dice) -> Case:
    """By scales of any kind or by sizes, of all axes or some, as each opset allows."""
    mode, opset = dice.pick("nearest", "linear", "cubic"), dice.pick(11, 13, 18, 19)
    x = dice.real(1, 2, dice.whole(2, 12), dice.whole(2, 12))
    # the symmetric mode meets a tie wherever it copies, and float32's last bit breaks it
    modes = MODES if opset >= 19 and mode != "nearest" else MODES[:-1]
    attributes: dict[str, object] = {"mode": mode}
    attributes["coordinate_transformation_mode"] = dice.pick(*modes)
    if mode == "nearest":
        rounding = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
        attributes["nearest_mode"] = dice.pick(*rounding)
    if mode == "cubic":
        attributes |= dice.some(
            cubic_coeff_a=lambda: -0.5, exclude_outside=lambda: dice.whole(0, 1)
        )
    scales = sizes = None
    if dice.maybe(0.6):
        scales = np.array([1, 1, *(dice.pick(0.5, 0.7, 1.5, 2, 1, 3, 0.3, 2.7) for _ in "hw")])
        scales = scales.astype(np.float32)
    else:
        sizes = np.array([1, 2, dice.whole(1, 24), dice.whole(1, 24)])
    if opset >= 18:
        attributes |= _newer(dice, mode, sizes is not None)
        if "axes" in attributes:
            scales = None if scales is None else scales[2:]
            sizes = None if sizes is None else sizes[2:]
    return Case([x, None, scales, sizes], attributes, opset=opset, tolerance=1e-5)


def _newer(dice: Dice, mode: str, by_size: bool) -> dict[str, object]:
    attributes: dict[str, object] = dice.some(axes=lambda: [2, 3])
    if mode != "nearest" and dice.maybe(0.3):
        attributes["antialias"] = 1
    if by_size and "axes" in attributes and dice.maybe():
        policy = dice.pick("stretch", "not_larger", "not_smaller")
        attributes["keep_aspect_ratio_policy"] = policy
    return attributes


def crop_and_resize(dice: Dice) -> Case:
    x = dice.real(1, 1, dice.whole(3, 9), dice.whole(3, 9))
    low, high = dice.number(-0.2, 0.5, 4), dice.number(0.6, 1.3, 4)
    roi = np.concatenate([[0, 0], low[2:], [1, 1], high[2:]]).astype(np.float32)
    sizes = np.array([1, 1, dice.whole(1, 9), dice.whole(1, 9)])
    attributes = {
        "mode": dice.pick("linear", "nearest"),
        "coordinate_transformation_mode": "tf_crop_and_resize",
        "extrapolation_value": 3.0,
    }
    return Case([x, roi, None, sizes], attributes, opset=13, tolerance=1e-5)


def upsample(dice: Dice) -> Case:
    scales = np.array([1, 1, dice.pick(1, 2, 3, 1.5), dice.pick(1, 2, 2.5)], np.float32)
    return Case([dice.real(1, 2, 4, 5), scales], {"mode": dice.pick("nearest", "linear")}, opset=9)


def pad(dice: Dice) -> Case:
    x = dice.real(*(dice.whole(3, 6) for _ in range(dice.whole(1, 4))))
    mode = dice.pick("constant", "reflect", "edge", "wrap")
    opset = 19 if mode == "wrap" else dice.pick(11, 13, 18, 19)
    axes = dice.axes(x.ndim) if opset >= 18 and dice.maybe(0.3) else list(range(x.ndim))
    low = -1 if mode in ("constant", "edge") else 0
    pads = np.array([dice.whole(low, 2) for _ in axes * 2])
    fill = np.asarray(dice.normal(), np.float32) if mode == "constant" and dice.maybe() else None
    more = [np.array(axes)] if len(axes) < x.ndim or (opset >= 18 and dice.maybe(0.2)) else []
    if opset >= 18 and axes != list(range(x.ndim)):
        more = [np.array(axes)]
    return Case([x, pads, fill, *more], {"mode": mode}, opset=opset)


def grid_sample(dice: Dice) -> Case:
    opset = dice.pick(16, 20)
    rank = dice.pick(2, 2, 3) if opset == 20 else 2
    modes = {16: ("bilinear", "nearest", "bicubic"), 20: ("linear", "nearest", "cubic")}[opset]
    mode = dice.pick(*modes[: 2 if rank == 3 else 3])
    x = dice.real(2, 2, *(dice.whole(2, 6) for _ in range(rank)))
    grid = dice.number(-1.7, 1.7, 2, *(dice.whole(1, 5) for _ in range(rank)), rank)
    attributes = {
        "mode": mode,
        "padding_mode": dice.pick("zeros", "border", "reflection"),
        "align_corners": dice.whole(0, 1),
    }
    return Case([x, grid], attributes, opset=opset, tolerance=2e-5)


def roi_align(dice: Dice) -> Case:
    opset, count = dice.pick(10, 16), dice.whole(1, 4)
    x = dice.real(2, 2, dice.whole(4, 12), dice.whole(4, 12))
    corners = dice.number(-2, 8, count, 2)
    rois = np.concatenate([corners, corners + dice.number(0.1, 8, count, 2)], 1)
    attributes = {
        "output_height": dice.whole(1, 4),
        "output_width": dice.whole(1, 4),
        "sampling_ratio": dice.whole(0, 3),
        "spatial_scale": dice.pick(1.0, 0.5, 0.7),
        **dice.some(mode=lambda: dice.pick("avg", "max")),
    }
    if opset == 16 and dice.maybe():
        modes = ("half_pixel", "output_half_pixel")
        attributes["coordinate_transformation_mode"] = dice.pick(*modes)
    return Case([x, rois, dice.ints(0, 1, count)], attributes, opset=opset, tolerance=2e-5)


def affine_grid(dice: Dice) -> Case:
    rank = dice.pick(2, 3)
    size = np.array([2, 1, *(dice.whole(2, 5) for _ in range(rank))])
    theta = dice.real(2, rank, rank + 1)
    return Case([theta, size], dice.some(align_corners=lambda: 1), opset=20, tolerance=1e-5)


def depth_to_space(dice: Dice) -> Case:
    block = dice.pick(2, 3)
    x = dice.real(2, 2 * block * block, 2, 3)
    return Case([x], {"blocksize": block, **dice.some(mode=lambda: "CRD")}, opset=13)


def space_to_depth(dice: Dice) -> Case:
    block = dice.pick(2, 3)
    return Case([dice.real(2, 2, 2 * block, 3 * block)], {"blocksize": block}, opset=13)


def center_crop_pad(dice: Dice) -> Case:
    x = dice.real(*dice.shape(1, 3, 7))
    axes = dice.axes(x.ndim)
    target = dice.ints(1, 9, len(axes))
    return Case([x, target], {"axes": axes}, opset=18)


def max_unpool(dice: Dice) -> Case:
    y = dice.real(1, 1, 2, 3)
    at = np.array([[[[0, 3, 4], [13, 14, 17]]]])
    shape = [np.array([1, 1, *dice.pick((4, 6), (5, 7))])] if dice.maybe() else []
    return Case([y, at, *shape], {"kernel_shape": [2, 2], "strides": [2, 2]}, opset=11)


CASES: dict[str, Draw] = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "LpPool": lp_pool,
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"), global_pool),
    "Resize": lambda dice: crop_and_resize(dice) if dice.maybe(0.1) else resize(dice),
    "Upsample": upsample,
    "Pad": pad,
    "GridSample": grid_sample,
    "RoiAlign": roi_align,
    "AffineGrid": affine_grid,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    "CenterCropPad": center_crop_pad,
    "MaxUnpool": max_unpool,
}
