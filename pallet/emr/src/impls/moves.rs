//! Records that lie elsewhere from now on: in another object, and perhaps sealed anew.

use alloc::collections::BTreeMap;
use frame_support::{ensure, pallet_prelude::*};

use super::records::Anchoring;
use crate::*;

/// An object while records come to it from others. Deposits are settled once, at the end.
struct Moving<T: Config> {
	target: Anchoring<T>,
	/// How many records each other object loses.
	lost: BTreeMap<ObjectId, u32>,
}

impl<T: Config> Pallet<T> {
	/// Move records and return how many were good.
	pub(crate) fn do_move_records(
		organisation: T::AccountId,
		object: ObjectInfo,
		records: &[RecordInfo],
	) -> Result<u32, DispatchError> {
		ensure!(!records.is_empty(), Error::<T>::BatchEmpty);
		let target = Anchoring::<T>::open(organisation, object)?;
		let mut moving = Moving { target, lost: BTreeMap::new() };
		let good = Self::tally(object.id, records, |record| moving.take(record));
		moving.close()?;
		Ok(good)
	}
}

impl<T: Config> Moving<T> {
	fn take(&mut self, info: &RecordInfo) -> Result<(), RejectReason> {
		let present = Records::<T>::get(info.id).ok_or(RejectReason::RecordUnknown)?;
		let present = present.live().ok_or(RejectReason::RecordErased)?;
		let moved = Record {
			patient: info.patient,
			object: self.target.id,
			offset: info.offset,
			length: info.length,
			digest: info.digest,
			format: info.format,
			anchored_at: present.anchored_at,
		};
		self.check(&present, &moved)?;
		self.target.check_room(info)?;
		Records::<T>::insert(info.id, RecordEntry::Live(moved));
		self.count(present.object);
		Pallet::<T>::deposit_event(Event::RecordMoved {
			record: info.id,
			patient: info.patient,
			from: present.object,
			object: self.target.id,
			custodian: self.target.custodian.clone(),
		});
		Ok(())
	}

	/// Only its place may change, its length and its digest; and only with the object.
	fn check(&self, present: &Record<T>, moved: &Record<T>) -> Result<(), RejectReason> {
		let elsewhere = present.object != moved.object;
		let ours = !elsewhere
			|| Objects::<T>::get(present.object)
				.is_some_and(|object| object.custodian == self.target.custodian);
		ensure!(ours, RejectReason::ObjectForeign);
		ensure!(present != moved, RejectReason::RecordInPlace);
		let alike = present.patient == moved.patient && present.format == moved.format;
		ensure!(alike && elsewhere, RejectReason::RecordMismatch);
		Ok(())
	}

	fn count(&mut self, from: ObjectId) {
		let lost = self.lost.entry(from).or_default();
		*lost = lost.saturating_add(1);
		self.target.anchored = self.target.anchored.saturating_add(1);
	}

	/// Settle the deposits: what the old objects give back helps to pay for the new one.
	fn close(self) -> DispatchResult {
		for (id, lost) in self.lost {
			let object = Objects::<T>::get(id).ok_or(Error::<T>::ObjectUnknown)?;
			if Pallet::<T>::shrink_object(id, object, lost)? {
				let custodian = self.target.custodian.clone();
				Pallet::<T>::deposit_event(Event::ObjectRemoved { object: id, custodian });
			}
		}
		self.target.close()
	}
}
