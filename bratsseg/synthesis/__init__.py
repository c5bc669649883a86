"""Synthetic patients: healthy anatomy, a simulated tumour, randomised contrast. Made on the device in use, seeded."""

from bratsseg.synthesis.generator import VERSION, SynthesisConfig, synthesize_patient
from bratsseg.synthesis.patient import SyntheticPatient

__all__ = ["VERSION", "SynthesisConfig", "SyntheticPatient", "synthesize_patient"]
