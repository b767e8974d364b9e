"""Recipes that fit in a second or two on the smallest data sets."""

PATCHCORE = """# PatchCore on small images with random weights, for tests.
model:
  class_path: ZooPatchcore
  init_args:
    weights: random
    backbone: resnet10t
    layers: [layer1, layer2]
    image_size: 64
    coreset_sampling_ratio: 0.1
    post_processor:
      class_path: zoo.methods.BlobPostProcessor
      init_args:
        rule:
          class_path: zoo.postprocess.Quantile
          init_args: {q: 0.99, min_area_px: 4}
data:
  class_path: zoo.data.MVTecAD2Layout
  init_args: {train_batch_size: 4, eval_batch_size: 4}
"""
# A stock model that is trained; whoever uses it adds data and trainer.
STFPM = """model:
  class_path: anomalib.models.Stfpm
  init_args:
    backbone: efficientnet_lite0_embedded
    layers: [blocks.1]
    pre_processor:
      class_path: anomalib.pre_processing.PreProcessor
      init_args:
        transform:
          class_path: torchvision.transforms.v2.Resize
          init_args: {size: [64, 64], antialias: true}
    post_processor:
      class_path: zoo.methods.BlobPostProcessor
    evaluator:
      class_path: zoo.methods.evaluator.RawEvaluator
"""
