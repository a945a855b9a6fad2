"""A base shared out among processes: each keeps a part of every frozen weight, and borrows the rest a layer at a time.

FSDP2 (https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html), as accelerate's configuration file asks
for it. What is trained is small, and stays whole in every process.
"""

import os

from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from manera.errors import TrainingError
from manera.machine import ranks
from manera.model import packed


def is_wanted() -> bool:
    """Tell whether ``accelerate launch`` was given a configuration with FSDP."""
    return ranks.count() > 1 and os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"


def shard(model: nn.Module) -> None:
    """Share out the frozen weights of every block; raise TrainingError for what is asked for and not done."""
    from accelerate.utils import FullyShardedDataParallelPlugin

    plugin = FullyShardedDataParallelPlugin()  # reads what accelerate has put into the environment
    if plugin.fsdp_version != 2:
        raise TrainingError("a base is sharded by FSDP2, not by FSDP1", "fsdp_version: 2 in accelerate's configuration")
    mesh = init_device_mesh(ranks.device_type(), (ranks.count(),))
    for block in packed.blocks(model):
        _hold_as_parameters(block)
        trained = {parameter for parameter in block.parameters() if parameter.requires_grad}
        if len(trained) == len(list(block.parameters())):
            raise TrainingError("full fine-tuning is not sharded", "--method lora, or train without FSDP")
        fully_shard(block, mesh=mesh, reshard_after_forward=plugin.reshard_after_forward, ignored_params=trained)


def _hold_as_parameters(block: nn.Module) -> None:
    """Turn frozen weights into parameters, of which alone FSDP takes charge."""
    for module in block.modules():
        for name, tensor in list(module.named_buffers(recurse=False)):
            if tensor.is_floating_point() and tensor.ndim == 2:
                delattr(module, name)
                module.register_parameter(name, nn.Parameter(tensor, requires_grad=False))
