#!/usr/bin/env bash
# torch 2.13.0 (numpy 2.4.6), two gloo processes on a CPU: fully_shard (FSDP2) on every layer of a model, and on nothing above them
#
# Guess: fully_shard(layer) gathers a layer for its forward pass and lets it go behind it, so that a device holds its share and about one whole
#        layer. Embedding, norm and heads are left out on purpose: they are small, tied, or read from outside.
# Fact:  a unit without a unit above it is a root, and a root by default keeps what it has gathered until its backward pass. Layers that were
#        sharded one by one are each a root: after the forward pass every layer lies whole on every device. No warning; losses and gradients are right.
#        With reshard_after_forward=True, or one fully_shard of the model above them, none is left whole.
# Why:   sharding is chosen because the model does not fit. Layers alone are what fine-tuning with adapters and a head of its own asks for, and tests
#        of the loss pass; what fails is the run on the large model, out of memory in the forward pass, where four GPUs seem not to help.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile torch==2.13.0 numpy==2.4.6
cat > sharded.py <<'PYTHON'
import os
import sys

import torch
from torch import distributed, multiprocessing, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

LAYERS, WIDTH = 6, 32


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.norm = nn.Embedding(50, WIDTH), nn.LayerNorm(WIDTH)
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(LAYERS))

    def forward(self, ids):
        states = self.embedding(ids)
        for layer in self.layers:
            states = torch.tanh(layer(states))
        return self.norm(states)


def whole(model: Decoder) -> int:
    return sum(not isinstance(layer.weight, DTensor) for layer in model.layers)


def work(rank: int, queue, how: str) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29511")
    distributed.init_process_group("gloo", rank=rank, world_size=2)
    torch.manual_seed(0)
    model, mesh = Decoder(), init_device_mesh("cpu", (2,))
    for layer in model.layers:
        fully_shard(layer, mesh=mesh, **({"reshard_after_forward": True} if how == "asked to let go" else {}))
    if how == "a root above them":
        fully_shard(model, mesh=mesh)
    found = [whole(model)]
    loss = model(torch.arange(8)[None]).square().mean()
    found.append(whole(model))
    loss.backward()
    if rank == 0:
        queue.put((*found, whole(model), round(loss.item(), 6)))
    distributed.destroy_process_group()


if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    found = {}
    for how in ("layers alone", "asked to let go", "a root above them"):
        queue = context.Queue()
        workers = [context.Process(target=work, args=(rank, queue, how)) for rank in range(2)]
        for worker in workers:
            worker.start()
        found[how] = queue.get(timeout=300)
        for worker in workers:
            worker.join()
        before, after, end, loss = found[how]
        print(f"{how:<18} layers whole on a device: {before} before, {after} after the forward pass, {end} after the backward pass; loss {loss}")
    afters = {how: one[1] for how, one in found.items()}
    if afters == {"layers alone": LAYERS, "asked to let go": 0, "a root above them": 0} and len({one[3] for one in found.values()}) == 1:
        sys.exit(0)
    sys.exit("changed: layers that are sharded alone are let go after the forward pass")
PYTHON
OMP_NUM_THREADS=1 venv/bin/python sharded.py
