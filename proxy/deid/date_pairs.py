"""Dates and their times of day: attributes of one item that together say one moment (PS3.6). Data only.

Date and Time of content items are not here: each stands in an item of its own (PS3.3 C.17.3).
"""

from __future__ import annotations

from collections.abc import Mapping

STUDY_DATE, BIRTH_DATE, BIRTH_TIME = 0x00080020, 0x00100030, 0x00100032
#: tag of a DA → tag of the TM that belongs to it. Times without a date of their own have no entry
TIME_OF: Mapping[int, int] = {
    0x00080012: 0x00080013,  # InstanceCreationDate
    0x00080020: 0x00080030,  # StudyDate
    0x00080021: 0x00080031,  # SeriesDate
    0x00080022: 0x00080032,  # AcquisitionDate
    0x00080023: 0x00080033,  # ContentDate
    0x00080024: 0x00080034,  # OverlayDate
    0x00080025: 0x00080035,  # CurveDate
    0x00140102: 0x00140103,  # SecondaryReviewDate
    0x00143076: 0x00143077,  # DateOfGainCalibration
    0x0014407E: 0x0014407C,  # CalibrationDate
    0x00181012: 0x00181014,  # DateOfSecondaryCapture
    0x00181200: 0x00181201,  # DateOfLastCalibration
    0x0018700C: 0x0018700E,  # DateOfLastDetectorCalibration
    0x00203403: 0x00203405,  # ModifiedImageDate
    0x00320032: 0x00320033,  # StudyVerifiedDate
    0x00320034: 0x00320035,  # StudyReadDate
    0x00321000: 0x00321001,  # ScheduledStudyStartDate
    0x00321010: 0x00321011,  # ScheduledStudyStopDate
    0x00321040: 0x00321041,  # StudyArrivalDate
    0x00321050: 0x00321051,  # StudyCompletionDate
    0x0038001A: 0x0038001B,  # ScheduledAdmissionDate
    0x0038001C: 0x0038001D,  # ScheduledDischargeDate
    0x00380020: 0x00380021,  # AdmittingDate
    0x00380030: 0x00380032,  # DischargeDate
    0x00400002: 0x00400003,  # ScheduledProcedureStepStartDate
    0x00400004: 0x00400005,  # ScheduledProcedureStepEndDate
    0x00400244: 0x00400245,  # PerformedProcedureStepStartDate
    0x00400250: 0x00400251,  # PerformedProcedureStepEndDate
    0x00402004: 0x00402005,  # IssueDateOfImagingServiceRequest
    0x0040A023: 0x0040A024,  # FindingsGroupRecordingDateTrial
    0x0040A192: 0x0040A193,  # ObservationDateTrial
    0x00700082: 0x00700083,  # PresentationCreationDate
    0x21000040: 0x21000050,  # CreationDate
    0x30060008: 0x30060009,  # StructureSetDate
    0x30080024: 0x30080025,  # TreatmentControlPointDate
    0x30080162: 0x30080164,  # SafePositionExitDate
    0x30080166: 0x30080168,  # SafePositionReturnDate
    0x30080250: 0x30080251,  # TreatmentDate
    0x300A0006: 0x300A0007,  # RTPlanDate
    0x300A022C: 0x300A022E,  # SourceStrengthReferenceDate
    0x300E0004: 0x300E0005,  # ReviewDate
    0x40080100: 0x40080101,  # InterpretationRecordedDate
    0x40080108: 0x40080109,  # InterpretationTranscriptionDate
    0x40080112: 0x40080113,  # InterpretationApprovalDate
}
