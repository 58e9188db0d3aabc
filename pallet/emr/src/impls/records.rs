//! Objects, the records anchored in them, and their erasure.

use alloc::vec::Vec;
use frame_support::{
	ensure,
	pallet_prelude::*,
	traits::{Consideration, Footprint},
};

use crate::*;

/// An object while records are being anchored in it; its deposit is settled once, at the end.
pub(super) struct Anchoring<T: Config> {
	pub(super) id: ObjectId,
	pub(super) custodian: T::AccountId,
	info: ObjectInfo,
	/// What stands in storage, unless the object is new.
	stored: Option<Object<T>>,
	pub(super) anchored: u32,
	erased: u32,
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

	/// Anchor records and return how many were good.
	pub(crate) fn do_store_batch(
		organisation: T::AccountId,
		object: ObjectInfo,
		records: &[RecordInfo],
	) -> Result<u32, DispatchError> {
		ensure!(!records.is_empty(), Error::<T>::BatchEmpty);
		let mut anchoring = Anchoring::<T>::open(organisation, object)?;
		let good = Self::tally(object.id, records, |record| anchoring.anchor(record));
		anchoring.close()?;
		Ok(good)
	}

	/// Do something with each record, tell of those that are refused, and return how many were good.
	pub(super) fn tally(
		object: ObjectId,
		records: &[RecordInfo],
		mut deal_with: impl FnMut(&RecordInfo) -> Result<(), RejectReason>,
	) -> u32 {
		let rejected = records
			.iter()
			.filter_map(|record| deal_with(record).err().map(|reason| (record.id, reason)))
			.collect::<Vec<_>>();
		let good = records.len().saturating_sub(rejected.len()) as u32;
		for (record, reason) in rejected {
			Self::deposit_event(Event::RecordRejected { record, object, reason });
		}
		good
	}

	/// What an object with `records` records occupies.
	pub(crate) fn object_footprint(records: u32) -> Footprint {
		let object = ObjectInfo::max_encoded_len() + T::AccountId::max_encoded_len();
		let reports = ProofCommitment::<T>::max_encoded_len()
			+ StorageHealth::<T>::max_encoded_len()
			+ Integrity::<T>::max_encoded_len();
		// The record itself, the object it names, and its entry in the patient's list.
		let each = RecordInfo::max_encoded_len()
			+ ObjectId::max_encoded_len()
			+ PatientId::max_encoded_len()
			+ RecordId::max_encoded_len();
		let records = each.saturating_mul(records as usize);
		Footprint::from_parts(1, object.saturating_add(reports).saturating_add(records))
	}

	/// The live record of an id, or why there is none.
	pub(crate) fn live_record(id: RecordId) -> Result<Record<T>, Error<T>> {
		let entry = Records::<T>::get(id).ok_or(Error::RecordUnknown)?;
		entry.live().ok_or(Error::RecordErased)
	}

	/// Erase a record and return how many grants went with it.
	pub(crate) fn do_erase_record(
		custodian: T::AccountId,
		id: RecordId,
	) -> Result<u32, DispatchError> {
		let record = Self::live_record(id)?;
		let object = Objects::<T>::get(record.object).ok_or(Error::<T>::ObjectUnknown)?;
		ensure!(object.custodian == custodian, Error::<T>::ObjectForeign);

		let grants = Self::drop_grants(id, record.patient, &custodian)?;
		let removed = Self::shrink_object(record.object, object, 1)?;
		Self::bury(&custodian, id)?;
		PatientRecords::<T>::remove(record.patient, id);
		Self::deposit_event(Event::RecordErased {
			record: id,
			object: record.object,
			custodian: custodian.clone(),
		});
		if removed {
			Self::deposit_event(Event::ObjectRemoved { object: record.object, custodian });
		}
		Ok(grants)
	}

	/// Take records from an object, and the object away with its last; tell whether it is gone.
	pub(super) fn shrink_object(
		id: ObjectId,
		mut object: Object<T>,
		records: u32,
	) -> Result<bool, DispatchError> {
		object.anchored = object.anchored.saturating_sub(records);
		object.erased = object.erased.saturating_add(records);
		if object.anchored == 0 {
			Objects::<T>::remove(id);
			object.ticket.drop(&object.custodian)?;
			return Ok(true);
		}
		let footprint = Self::object_footprint(object.anchored);
		object.ticket = object.ticket.update(&object.custodian, footprint)?;
		Objects::<T>::insert(id, object);
		Ok(false)
	}

	/// Put a tombstone where the record stood. The custodian has just been paid more back.
	fn bury(custodian: &T::AccountId, id: RecordId) -> DispatchResult {
		let mut entry =
			Organisations::<T>::get(custodian).ok_or(Error::<T>::OrganisationUnknown)?;
		entry.tombstones = entry.tombstones.saturating_add(1);
		let footprint = Self::organisation_footprint(entry.tombstones);
		entry.ticket = entry.ticket.update(custodian, footprint)?;
		Organisations::<T>::insert(custodian, entry);
		let erased_at = frame_system::Pallet::<T>::block_number();
		let tombstone = Tombstone { custodian: custodian.clone(), erased_at };
		Records::<T>::insert(id, RecordEntry::Erased(tombstone));
		Ok(())
	}
}

impl<T: Config> Anchoring<T> {
	pub(super) fn open(custodian: T::AccountId, info: ObjectInfo) -> Result<Self, Error<T>> {
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
		let counts = stored.as_ref().map(|object| (object.anchored, object.erased));
		let (anchored, erased) = counts.unwrap_or_default();
		Ok(Self { id: info.id, custodian, info, stored, anchored, erased })
	}

	fn anchor(&mut self, record: &RecordInfo) -> Result<(), RejectReason> {
		self.check(record)?;
		let entry = Record {
			patient: record.patient,
			object: self.id,
			offset: record.offset,
			length: record.length,
			digest: record.digest,
			format: record.format,
			anchored_at: frame_system::Pallet::<T>::block_number(),
		};
		Records::<T>::insert(record.id, RecordEntry::Live(entry));
		PatientRecords::<T>::insert(record.patient, record.id, ());
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
		match Records::<T>::get(record.id) {
			Some(RecordEntry::Live(_)) => return Err(RejectReason::RecordExists),
			Some(RecordEntry::Erased(_)) => return Err(RejectReason::RecordErased),
			None => {},
		}
		self.check_room(record)?;
		let ours = Patients::<T>::get(record.patient)
			.is_some_and(|patient| patient.organisation == self.custodian);
		ensure!(ours, RejectReason::PatientUnknown);
		Ok(())
	}

	/// The object has room for one more record, and this one lies within it.
	pub(super) fn check_room(&self, record: &RecordInfo) -> Result<(), RejectReason> {
		let used = self.anchored.saturating_add(self.erased);
		ensure!(used < self.info.record_count, RejectReason::ObjectFull);
		let end = record.offset.checked_add(record.length);
		let inside = record.length > 0 && end.is_some_and(|end| end <= self.info.size);
		ensure!(inside, RejectReason::OutsideObject);
		Ok(())
	}

	/// Settle the deposit and write the object. A batch of which nothing was anchored leaves no trace.
	pub(super) fn close(self) -> DispatchResult {
		let Self { id, custodian, info, stored, anchored, .. } = self;
		if anchored == stored.as_ref().map_or(0, |object| object.anchored) {
			return Ok(());
		}
		let footprint = Pallet::<T>::object_footprint(anchored);
		if let Some(mut object) = stored {
			object.anchored = anchored;
			object.ticket = object.ticket.update(&custodian, footprint)?;
			Objects::<T>::insert(id, object);
			return Ok(());
		}
		let ticket = T::ObjectConsideration::new(&custodian, footprint)?;
		let object = Object {
			custodian: custodian.clone(),
			size: info.size,
			record_count: info.record_count,
			anchored,
			erased: 0,
			manifest_root: info.manifest_root,
			stored_at: frame_system::Pallet::<T>::block_number(),
			proof: None,
			health: None,
			integrity: None,
			ticket,
		};
		Objects::<T>::insert(id, object);
		Pallet::<T>::deposit_event(Event::ObjectStored { object: id, custodian });
		Ok(())
	}
}
