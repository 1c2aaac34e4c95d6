"""Every threshold of the checks, each with where it comes from. "Ours" was calibrated on sick, mended and healthy scripts."""

from osler.doctor.thresholds.data import *
from osler.doctor.thresholds.detection import *
from osler.doctor.thresholds.evaluation import *
from osler.doctor.thresholds.model import *
from osler.doctor.thresholds.optimisation import *
