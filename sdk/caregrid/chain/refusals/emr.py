"""The errors of pallet-emr, in its words. A test compares them with the node's metadata."""

from __future__ import annotations

from caregrid import errors
from caregrid.chain.refusals.base import EmrRefusal


class OrganisationExists(EmrRefusal):
    """The account is an organisation already; use `set_operators` to change it."""


class OrganisationUnknown(EmrRefusal):
    """No such organisation; it must call `register_organisation` first."""


class DuplicateOperator(EmrRefusal):
    """An account stands twice among the operators; name each once."""


class DuplicateMember(EmrRefusal):
    """An account stands twice in the emergency role; name each once."""


class NotOperator(EmrRefusal):
    """The signer is neither the organisation nor one of its operators."""


class NotEmergencyMember(errors.AccessRefused, EmrRefusal):
    """The signer is not in the emergency role of the patient's organisation."""


class PatientExists(EmrRefusal):
    """A patient has this id already; draw a new random one."""


class PatientUnknown(errors.PatientUnknown, EmrRefusal):
    """No patient of this organisation has this id; register him first."""


class NotController(errors.AccessRefused, EmrRefusal):
    """Only the patient's controller may do this."""


class NotOffered(EmrRefusal):
    """The entry is not offered to the signer; its controller must call `offer_patient`."""


class RecordExists(EmrRefusal):
    """A record with this id is anchored already; the first one stands."""


class RecordUnknown(errors.RecordUnknown, EmrRefusal):
    """No record has this id."""


class RecordErased(errors.RecordErased, EmrRefusal):
    """The record with this id was erased; an id is never used again."""


class OutsideObject(EmrRefusal):
    """The record has no bytes, or they do not lie within the object."""


class ObjectFull(EmrRefusal):
    """The object has all its records already."""


class ObjectMismatch(EmrRefusal):
    """The object is anchored with another size, record count or manifest root."""


class ObjectForeign(EmrRefusal):
    """Another organisation is the object's custodian."""


class ObjectInvalid(EmrRefusal):
    """An object needs a size, at least one record, and at most `MaxRecordsPerObject`."""


# Not an `errors.ObjectUnknown`, which says that the storage network has lost bytes.
class ObjectUnknown(EmrRefusal):
    """No object has this id."""


class BatchEmpty(EmrRefusal):
    """A batch needs at least one item."""


class ExpiryInPast(EmrRefusal):
    """It would expire at once; choose a later block."""


class ExpiryTooFar(EmrRefusal):
    """It would live too long; choose a block within `MaxGrantDuration`, for a request within
    `MaxRequestDuration`.
    """  # noqa: D205 - the pallet's words


class GrantsFull(EmrRefusal):
    """The scope has `MaxGrantsPerScope` grants; revoke one first."""


class GrantUnknown(errors.NoGrant, EmrRefusal):
    """There is no such grant."""


class GrantExpired(errors.GrantExpired, EmrRefusal):
    """The grant has expired; a new one must be given."""


class AccessLive(EmrRefusal):
    """The signer can read that already, for at least as long."""


class RequestUnknown(EmrRefusal):
    """There is no such request, or it has expired."""


class NotDue(EmrRefusal):
    """It has not expired yet."""


class NoEncryptionKey(errors.NoEncryptionKey, EmrRefusal):
    """The grantee has no encryption key; he must call `set_encryption_key` first."""


class EncryptionKeyStale(EmrRefusal):
    """The key is not wrapped to the grantee's present encryption key; wrap it again."""


class WrappedKeyInvalid(EmrRefusal):
    """A wrapped key is 1,168 bytes long."""


class KeyMissing(EmrRefusal):
    """A delivery needs a key, escrowed or inline."""


class ReportInvalid(EmrRefusal):
    """A challenge comes from a past block, after the object and its proof were committed and not
    before the last report's; and a publicly verifiable proof needs a commitment.
    """  # noqa: D205 - the pallet's words


class DepositUnpayable(EmrRefusal):
    """The account that pays has too few free tokens for the deposit."""


class RecordInPlace(EmrRefusal):
    """The record stands at this place already; nothing is to be moved."""


class RecordMismatch(EmrRefusal):
    """The record is anchored for another patient, in another format, or elsewhere in this object,
    whose bytes never change.
    """  # noqa: D205 - the pallet's words
