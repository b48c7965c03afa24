"""Where half the bits are twice as fast, and where they are not."""

from __future__ import annotations

import torch


def fast_bfloat16(device: str | torch.device) -> bool:
    """Whether a device multiplies in bfloat16 fast.

    A GPU does. A CPU does where it has the instructions (AVX512-BF16, AMX); elsewhere bfloat16 is
    emulated, and training in it takes two to four times as long as in float32.
    """
    if torch.device(device).type != "cpu":
        return True
    can = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(can.get("avx512_bf16") or can.get("amx_bf16"))
