//! What custodians report of their objects: storage health, and proofs of storage.

use frame_support::{ensure, pallet_prelude::*};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::traits::Zero;

use crate::*;

impl<T: Config> Pallet<T> {
	pub(crate) fn do_commit_proof(
		custodian: &T::AccountId,
		id: ObjectId,
		key: ProofKey,
		tags: Digest,
	) -> DispatchResult {
		let mut object = Self::object_of(custodian, id).map_err(Error::<T>::from)?;
		let committed_at = frame_system::Pallet::<T>::block_number();
		object.proof = Some(ProofCommitment { key, tags, committed_at });

		Objects::<T>::insert(id, object);
		let custodian = custodian.clone();
		Self::deposit_event(Event::ProofCommitted { object: id, custodian, tags });
		Ok(())
	}

	/// Note reports and return how many were good.
	pub(crate) fn do_report_storage_health(
		custodian: &T::AccountId,
		reports: &[HealthReport],
	) -> Result<u32, DispatchError> {
		ensure!(!reports.is_empty(), Error::<T>::BatchEmpty);
		let mut noted = 0u32;
		for report in reports {
			match Self::note_health(custodian, report) {
				Ok(()) => noted = noted.saturating_add(1),
				Err(reason) => {
					Self::deposit_event(Event::ReportRejected { object: report.object, reason });
				},
			}
		}
		Ok(noted)
	}

	fn note_health(custodian: &T::AccountId, report: &HealthReport) -> Result<(), RejectReason> {
		let mut object = Self::object_of(custodian, report.object)?;
		let HealthReport { object: id, health, replicas, nodes } = *report;
		let reported_at = frame_system::Pallet::<T>::block_number();
		object.health = Some(StorageHealth { health, replicas, nodes, reported_at });

		Objects::<T>::insert(id, object);
		Self::deposit_event(Event::StorageHealthReported {
			object: id,
			custodian: custodian.clone(),
			health,
			replicas,
			nodes,
		});
		Ok(())
	}

	/// Note reports and return how many were good.
	pub(crate) fn do_report_integrity(
		custodian: &T::AccountId,
		reports: &[IntegrityReport<BlockNumberFor<T>>],
	) -> Result<u32, DispatchError> {
		ensure!(!reports.is_empty(), Error::<T>::BatchEmpty);
		let mut noted = 0u32;
		for report in reports {
			match Self::note_integrity(custodian, report) {
				Ok(()) => noted = noted.saturating_add(1),
				Err(reason) => {
					Self::deposit_event(Event::ReportRejected { object: report.object, reason });
				},
			}
		}
		Ok(noted)
	}

	fn note_integrity(
		custodian: &T::AccountId,
		report: &IntegrityReport<BlockNumberFor<T>>,
	) -> Result<(), RejectReason> {
		let mut object = Self::object_of(custodian, report.object)?;
		ensure!(Self::is_timely(&object, report), RejectReason::ReportInvalid);
		let IntegrityReport { object: id, scheme, outcome, challenged_at, proof_digest } = *report;
		let reported_at = frame_system::Pallet::<T>::block_number();
		object.integrity =
			Some(Integrity { scheme, outcome, challenged_at, proof_digest, reported_at });

		Objects::<T>::insert(id, object);
		Self::deposit_event(Event::IntegrityReported {
			object: id,
			custodian: custodian.clone(),
			scheme,
			outcome,
			challenged_at,
			proof_digest,
		});
		Ok(())
	}

	/// Whether the challenge could be known to nobody when the object was committed to, and is not
	/// older than the one reported last. The same one may be reported again: a node that did not
	/// answer in time is asked the same later.
	fn is_timely(object: &Object<T>, report: &IntegrityReport<BlockNumberFor<T>>) -> bool {
		let committed_at = object.proof.as_ref().map(|proof| proof.committed_at);
		if report.scheme == ProofScheme::Public && committed_at.is_none() {
			return false;
		}
		let last = object.integrity.as_ref().map_or(Zero::zero(), |last| last.challenged_at);
		let earliest = object.stored_at.max(committed_at.unwrap_or_else(Zero::zero));
		let now = frame_system::Pallet::<T>::block_number();
		report.challenged_at > earliest
			&& report.challenged_at >= last
			&& report.challenged_at < now
	}

	fn object_of(custodian: &T::AccountId, id: ObjectId) -> Result<Object<T>, RejectReason> {
		let object = Objects::<T>::get(id).ok_or(RejectReason::ObjectUnknown)?;
		ensure!(object.custodian == *custodian, RejectReason::ObjectForeign);
		Ok(object)
	}
}
