"""Region proposals by a network of two layers (Ren et al. 2015, "Faster R-CNN", section 3.1).

At every position of every level a 3x3 convolution looks at its surroundings and two 1x1 ones say for each anchor whether
something is there and how the anchor would have to move to fit it. The surest that do not repeat one another are proposed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from osler.models.detection.dense_head import place_rows
from osler.ops.anchors import AnchorLevels, grid_stride, inside_picture
from osler.ops.box_coding import decode_boxes, encode_boxes
from osler.ops.boxes import SMALLEST, clip_boxes_to_image, remove_small_boxes
from osler.ops.matching import IGNORED, RPN, IouRule, max_iou_match
from osler.ops.sampling import RPN_BALANCE, Balance, balanced_draw
from osler.ops.suppression import batched_nms
from osler.structures.detections import TrueObjects

Maps = Sequence[Float[Tensor, "batch channels height width"]]

BETA = 1 / 9  # where smooth L1 turns from square to straight, of the public RPN


@dataclass(frozen=True, slots=True)
class ProposalRule:
    """How many are proposed, and what trains the network (Ren et al. 2015, section 3.3, and Lin et al. 2017, 4.1).

    Attributes:
        before: the surest of each level that enter suppression; in training, in evaluation.
        after: those that are proposed of each picture, of all levels together; likewise.
        overlap: IoU above which the less sure of two goes.
        matching: which anchor is an object's, which is background.
        balance: the anchors of a picture that are trained on.
        inside: whether anchors that leave the picture train nothing.
    """

    before: tuple[int, int] = (2000, 1000)
    after: tuple[int, int] = (2000, 1000)
    overlap: float = 0.7
    matching: IouRule = RPN
    balance: Balance = RPN_BALANCE
    inside: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """What the network says of every anchor, level by level and within it row by row, position by position."""

    logits: Float[Tensor, "batch anchors"]
    codes: Float[Tensor, "batch anchors 4"]
    anchors: Float[Tensor, "anchors 4"]
    per_level: tuple[int, ...]
    picture: tuple[int, int]


class RegionProposals(nn.Module):
    """Anchors, two small convolutions over each level, and the choice of what is proposed.

    Args:
        channels: of the levels, the same for all.
        anchors: of each level.
        rule: how many, and what trains it.
    """

    def __init__(self, channels: int, anchors: AnchorLevels, rule: ProposalRule | None = None) -> None:
        super().__init__()
        per_position = set(anchors.per_position)
        if len(per_position) != 1:
            raise ValueError(f"One head for all levels needs as many anchors at each; given: {anchors.per_position}.")
        count = per_position.pop()
        self.anchors, self.rule = anchors, rule or ProposalRule()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu = nn.ReLU()
        self.objectness = nn.Conv2d(channels, count, 1)
        self.codes = nn.Conv2d(channels, 4 * count, 1)
        for layer in (self.conv, self.objectness, self.codes):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, levels: Maps, picture: tuple[int, int]) -> Answered:
        """What the network says of every anchor of pictures of that height and width."""
        logits, codes = [], []
        for level in levels:
            seen = self.relu(self.conv(level))
            logits.append(place_rows(self.objectness(seen), 1).squeeze(-1))
            codes.append(place_rows(self.codes(seen), 4))
        grids = [(m.shape[-2], m.shape[-1]) for m in levels]
        anchors = self.anchors(grids, [grid_stride(picture, g) for g in grids], levels[0].device)
        counts = tuple(len(a) for a in anchors)
        return Answered(torch.cat(logits, 1).float(), torch.cat(codes, 1).float(), torch.cat(anchors), counts, picture)

    @torch.no_grad()
    def propose(self, answered: Answered, picture: tuple[int, int]) -> list[Float[Tensor, "_ 4"]]:
        """The proposals for each picture, the surest first, without gradient."""
        before, after = (numbers[0 if self.training else 1] for numbers in (self.rule.before, self.rule.after))
        chosen = self._surest(answered.logits, answered.per_level, before)
        proposals = []
        for logits, codes, rows in zip(answered.logits, answered.codes, chosen, strict=True):
            boxes = clip_boxes_to_image(decode_boxes(codes[rows], answered.anchors[rows]), picture)
            large = remove_small_boxes(boxes, SMALLEST)
            boxes, scores, rows = boxes[large], logits[rows][large], rows[large]
            level = _level_of(rows, answered.per_level)
            proposals.append(boxes[batched_nms(boxes, scores, level, self.rule.overlap)[:after]])
        return proposals

    def losses(self, answered: Answered, truths: Sequence[TrueObjects]) -> dict[str, Tensor]:
        """Cross-entropy of the sampled anchors, smooth L1 of the positive ones, both over the number of samples."""
        logits, wanted, codes, targets = [], [], [], []
        samples = 0
        for row, truth in enumerate(truths):
            matched = self._matched(answered, truth)
            draw = balanced_draw(matched, self.rule.balance)
            samples += len(draw.both)
            logits.append(answered.logits[row, draw.both])
            wanted.append((matched[draw.both] >= 0).float())
            codes.append(answered.codes[row, draw.positive])
            targets.append(encode_boxes(truth.boxes[matched[draw.positive]], answered.anchors[draw.positive]))
        samples = max(1, samples)
        objectness = F.binary_cross_entropy_with_logits(torch.cat(logits), torch.cat(wanted), reduction="sum")
        moves = F.smooth_l1_loss(torch.cat(codes), torch.cat(targets), beta=BETA, reduction="sum")
        return {"proposal_loss": objectness / samples, "proposal_box_loss": moves / samples}

    def _matched(self, answered: Answered, truth: TrueObjects) -> Int[Tensor, " anchors"]:
        """Each anchor's object; those outside the picture have none where the rule says so."""
        if not self.rule.inside:
            return max_iou_match(answered.anchors, truth.boxes, self.rule.matching, truth.ignored)
        rows = inside_picture(answered.anchors, answered.picture).nonzero().flatten()
        matched = truth.labels.new_full((len(answered.anchors),), IGNORED)
        matched[rows] = max_iou_match(answered.anchors[rows], truth.boxes, self.rule.matching, truth.ignored)
        return matched

    @staticmethod
    def _surest(logits: Float[Tensor, "batch anchors"], per_level: Sequence[int], most: int) -> Tensor:
        """Of each level the places of the surest anchors, for each picture."""
        chosen, start = [], 0
        for count in per_level:
            best = logits[:, start : start + count].topk(min(most, count), dim=1).indices
            chosen.append(best + start)
            start += count
        return torch.cat(chosen, dim=1)


def _level_of(rows: Tensor, per_level: Sequence[int]) -> Tensor:
    ends = torch.tensor(per_level, device=rows.device).cumsum(0)
    return torch.bucketize(rows, ends, right=True)
