"""How long does a step take in PyTorch? torch_step.py WAY THREADS BATCH STEPS

The reference network, AdamW, smoothed labels; images are in memory and not augmented. WAY is eager, channels-last (with fused
AdamW), or compiled (by torch.compile, and that). Prints milliseconds, one step a line, after some that do not count.
"""
import sys
import time

import torch
from torch import nn

WARM_UP = 5


def network(dropout=0.2, width=32):
    return nn.Sequential(
        nn.Conv2d(1, width, 3), nn.ReLU(), nn.BatchNorm2d(width),
        nn.Conv2d(width, width, 3), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(width), nn.Dropout(dropout),
        nn.Conv2d(width, 2 * width, 3), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(2 * width), nn.Dropout(dropout),
        nn.Conv2d(2 * width, 2 * width, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(2 * dropout),
        nn.Linear(18 * width, 128), nn.ReLU(), nn.Dropout(2 * dropout), nn.Linear(128, 10))


def main(way, threads, batch, steps):
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    images, labels = torch.randn(batch, 1, 28, 28), torch.randint(0, 10, (batch,))
    net = network()
    if way != "eager":
        net, images = net.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    forward = torch.compile(net) if way == "compiled" else net
    optimiser = torch.optim.AdamW(net.parameters(), fused=way != "eager")
    loss = nn.CrossEntropyLoss(label_smoothing=0.05)
    for step in range(WARM_UP + steps):
        begun = time.perf_counter()
        optimiser.zero_grad()
        loss(forward(images), labels).backward()
        optimiser.step()
        if step >= WARM_UP:
            print((time.perf_counter() - begun) * 1e3)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
