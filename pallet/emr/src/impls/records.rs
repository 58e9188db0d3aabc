//! Objects and the records anchored in them.

use alloc::vec::Vec;
use frame_support::{
	ensure,
	pallet_prelude::*,
	traits::{Consideration, Footprint},
};

use crate::*;

/// An object while records are being anchored in it; its deposit is settled once, at the end.
struct Anchoring<T: Config> {
	id: ObjectId,
	custodian: T::AccountId,
	info: ObjectInfo,
	/// What stands in storage, unless the object is new.
	stored: Option<Object<T>>,
	anchored: u32,
}

impl<T: Config> Pallet<T> {
	pub(crate) fn do_store_one(
		organisation: T::AccountId,
		object: ObjectInfo,
		record: RecordInfo,
	) -> DispatchResult {
		let mut anchoring = Anchoring::<T>::open(organisation, object)?;
		anchoring.anchor(&record).map_err(Error::<T>::from)?;
		anchoring.close()
	}

	pub(crate) fn do_store_batch(
		organisation: T::AccountId,
		object: ObjectInfo,
		records: &[RecordInfo],
	) -> DispatchResult {
		ensure!(!records.is_empty(), Error::<T>::BatchEmpty);
		let mut anchoring = Anchoring::<T>::open(organisation, object)?;
		let rejected = records
			.iter()
			.filter_map(|record| anchoring.anchor(record).err().map(|reason| (record.id, reason)))
			.collect::<Vec<_>>();

		for (record, reason) in rejected {
			Self::deposit_event(Event::RecordRejected { record, object: object.id, reason });
		}
		anchoring.close()
	}

	/// What an object with `records` records occupies.
	pub(crate) fn object_footprint(records: u32) -> Footprint {
		let object = ObjectInfo::max_encoded_len() + T::AccountId::max_encoded_len();
		let each = RecordInfo::max_encoded_len() + ObjectId::max_encoded_len();
		Footprint::from_parts(1, object.saturating_add(each.saturating_mul(records as usize)))
	}
}

impl<T: Config> Anchoring<T> {
	fn open(custodian: T::AccountId, info: ObjectInfo) -> Result<Self, Error<T>> {
		let in_bounds = info.record_count <= T::MaxRecordsPerObject::get();
		ensure!(info.size > 0 && info.record_count > 0 && in_bounds, Error::ObjectInvalid);
		let stored = Objects::<T>::get(info.id);
		if let Some(object) = &stored {
			ensure!(object.custodian == custodian, Error::ObjectForeign);
			let same = object.size == info.size
				&& object.record_count == info.record_count
				&& object.manifest_root == info.manifest_root;
			ensure!(same, Error::ObjectMismatch);
		}
		let anchored = stored.as_ref().map_or(0, |object| object.anchored);
		Ok(Self { id: info.id, custodian, info, stored, anchored })
	}

	fn anchor(&mut self, record: &RecordInfo) -> Result<(), RejectReason> {
		self.check(record)?;
		Records::<T>::insert(
			record.id,
			Record {
				patient: record.patient,
				object: self.id,
				offset: record.offset,
				length: record.length,
				digest: record.digest,
				format: record.format,
				anchored_at: frame_system::Pallet::<T>::block_number(),
			},
		);
		self.anchored = self.anchored.saturating_add(1);
		Pallet::<T>::deposit_event(Event::RecordStored {
			record: record.id,
			patient: record.patient,
			object: self.id,
			custodian: self.custodian.clone(),
		});
		Ok(())
	}

	fn check(&self, record: &RecordInfo) -> Result<(), RejectReason> {
		ensure!(!Records::<T>::contains_key(record.id), RejectReason::RecordExists);
		ensure!(self.anchored < self.info.record_count, RejectReason::ObjectFull);
		let end = record.offset.checked_add(record.length);
		let inside = record.length > 0 && end.is_some_and(|end| end <= self.info.size);
		ensure!(inside, RejectReason::OutsideObject);
		let ours = Patients::<T>::get(record.patient)
			.is_some_and(|patient| patient.organisation == self.custodian);
		ensure!(ours, RejectReason::PatientUnknown);
		Ok(())
	}

	/// Settle the deposit and write the object. A batch of which nothing was anchored leaves no trace.
	fn close(self) -> DispatchResult {
		let Self { id, custodian, info, stored, anchored } = self;
		let is_new = stored.is_none();
		let unchanged = stored.as_ref().map_or(anchored == 0, |object| object.anchored == anchored);
		if unchanged {
			return Ok(());
		}
		let footprint = Pallet::<T>::object_footprint(anchored);
		let ticket = match stored {
			Some(object) => object.ticket.update(&custodian, footprint)?,
			None => T::ObjectConsideration::new(&custodian, footprint)?,
		};
		let ObjectInfo { size, record_count, manifest_root, .. } = info;
		Objects::<T>::insert(
			id,
			Object {
				custodian: custodian.clone(),
				size,
				record_count,
				anchored,
				manifest_root,
				ticket,
			},
		);
		if is_new {
			Pallet::<T>::deposit_event(Event::ObjectStored { object: id, custodian });
		}
		Ok(())
	}
}
