"""Thresholds of the checks of detection, each with where it comes from."""

# ---- which way boxes are meant
BOXES_ENOUGH = 8  # ours: fewer boxes may be ordered like corners, or fit a picture, by chance
CORNERS_ORDERED = 0.9  # ours: share of boxes that end after they begin, from which they are corners; of boxes given as
# position and size about a quarter to a half are in that order by chance
FORMAT_FITS = 0.97  # ours: share of boxes that lie in their pictures if read that way
FORMAT_FAILS = 0.8  # ours: ... and do not if read as corners
PIXELS_FROM = 8.0  # ours: the greatest number of a picture's boxes from which they are pixels
SHARES_UNDER = 2.0  # ours: no set of boxes in pixels lies in the first two; shares outside the picture may
SHARE_LIMIT = 1.05  # all numbers of a picture's boxes up to this: shares of its sides, rounding and a margin allowed

# ---- box-outside-picture
EDGE_PIXELS, EDGE_SHARE = 2.0, 0.02  # ours: by which a centre may lie over the edge: rounding, an annotator's hand
OUTSIDE_BOXES = 0.005  # ours: of the boxes lie wholly outside; fewer are slips that teach nothing
CENTRES_OUTSIDE = 0.02  # ours: of the boxes; whole bodies of people cut by the edge (CrowdHuman) stay under it
OUTSIDE_GRAVE = 0.05  # ours

# ---- box-without-area, box-corners-swapped
BAD_BOXES = 0.002  # ours: of the boxes; fewer are a note where losses stayed finite
BAD_BOXES_GRAVE = 0.05  # ours

# ---- boxes-in-other-format: of the reader's faults
REACHING_OF_FORMAT = 0.5  # ours: under a third of the boxes of whole bodies reach over the edge (CrowdHuman)
SWAPPED_OF_FORMAT = 0.2  # ours: slips of a hand swap far fewer corners; of sizes taken for corners half and more

# ---- duplicate-boxes
DUPLICATES, DUPLICATES_LEAST = 0.02, 3  # ours: COCO's training set holds a few dozen among 860,000

# ---- masks-off-boxes
MASK_IOU = (
    0.3  # ours: of the box around a mask with the object's box; a whole body's box with the part that is seen has more
)
MASKS_OFF, MASKS_LEAST = 0.1, 3  # ours: of the masks
MASK_SMALLEST = 16.0  # square pixels of box under which rounding decides

# ---- class-never-validated
CLASS_EXPECTED = 5.0  # objects of a class that validation would hold at training's frequencies: none by chance in e^-5

# ---- objects-below-stride
BELOW_STRIDE, BELOW_HALF = 0.05, 0.2  # ours: of the objects, longer than neither side: a note; under half: a warning

# ---- anchors-miss-objects
ANCHOR_IOU = 0.5  # Liu et al. 2016 (SSD), 2.2; Lin et al. 2017 (RetinaNet), section 4: from which an anchor is positive
ANCHORS_MEET = 0.5  # ours: share of the objects with such an anchor
ANCHORS_BETTER = 0.25  # ours: by which share as many anchors fitted to the objects meet more
OBJECTS_ENOUGH = 20  # ours

# ---- all-anchors-negative
PLACES_A_PICTURE = 16  # ours: targets a picture from which a loss is over places, not over pictures
CALLS_ENOUGH = 5
