"""Defined terms of code strings (PS3.3 Image Type, PS3.16 annex L body parts) that are long enough to pass for a name.

A patient of that name is not given away by the term; any other long word of a name in a code string is. Pure data.
"""

from __future__ import annotations

#: lower case, six letters or more
TERMS = frozenset(
    """
    abdomen adrenal airway antrum bladder breast bronchus buttock calcaneus carotid cerebellum cervix chest
    clavicle coccyx colon cornea coronary cranium duodenum elbow epididymis esophagus extremity femoral finger
    forearm gallbladder hepatic humerus intestine jejunum kidney larynx maxilla mediastinum nasopharynx orbit
    ovary oropharynx pancreas parotid pelvis penis perineum phalanx pharynx placenta popliteal prostate
    pulmonary radius rectum renal sacrum scapula sclera shoulder sinus skull spinal spleen sternum stomach
    temporal testis thigh thorax thumb thymus thyroid tibial tongue trachea ureter urethra uterus vagina
    vascular ventricle wholebody brain heart spine liver femur tspine original derived primary secondary axial
    coronal sagittal oblique localizer resampled volume average maximum minimum perfusion diffusion dynamic
    static gated tomo reformatted projection mosaic magnitude phase difference filtered contrast enhanced
    unknown other female product identity linear color mixed spiral helical sequenced
    """.split()
)
