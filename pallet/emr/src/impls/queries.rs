//! What the runtime API answers. A page costs what its limit says, whatever the state holds.

use alloc::vec::Vec;
use caregrid_expiry::DueBlock;
use codec::Encode;
use frame_support::storage::StoragePrefixedMap;
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::traits::UniqueSaturatedInto;

use crate::{runtime_api::*, *};

type Views<T> = GrantView<<T as frame_system::Config>::AccountId, BlockNumberFor<T>>;

impl<T: Config> Pallet<T> {
	/// See `EmrApi::record`.
	pub fn record_view(id: RecordId) -> Option<RecordView<T::AccountId, BlockNumberFor<T>>> {
		Some(match Records::<T>::get(id)? {
			RecordEntry::Erased(Tombstone { custodian, erased_at }) => {
				RecordView::Erased { custodian, erased_at }
			},
			RecordEntry::Live(record) => RecordView::Live {
				patient: record.patient,
				object: record.object,
				offset: record.offset,
				length: record.length,
				digest: record.digest,
				format: record.format,
				anchored_at: record.anchored_at,
				custodian: Objects::<T>::get(record.object)?.custodian,
			},
		})
	}

	/// See `EmrApi::live_grant`.
	pub fn live_grant_view(record: RecordId, reader: T::AccountId) -> Option<Views<T>> {
		let (scope, grant) = Self::live_grant_with_scope(record, &reader)?;
		Some(view::<T>(scope, reader, grant))
	}

	/// See `EmrApi::grants_of_record`.
	pub fn grants_page(
		record: RecordId,
		after: Option<(Scope, T::AccountId)>,
		limit: u32,
	) -> GrantPage<T::AccountId, BlockNumberFor<T>> {
		let Ok(Record { patient, .. }) = Self::live_record(record) else {
			return GrantPage { items: Vec::new(), next: None };
		};
		let scopes = [Scope::Record(record), Scope::Patient(patient)];
		let skipped = after.as_ref().is_some_and(|(scope, _)| *scope == scopes[1]);
		let found = scopes.into_iter().skip(skipped.into()).flat_map(|scope| {
			let grants = match &after {
				Some((of, grantee)) if *of == scope => {
					let start = Grants::<T>::hashed_key_for(scope, grantee);
					Grants::<T>::iter_prefix_from(scope, start)
				},
				_ => Grants::<T>::iter_prefix(scope),
			};
			grants.map(move |(grantee, grant)| (scope, grantee, grant))
		});
		let limit = bounded(limit);
		let seen = found.take(limit).collect::<Vec<_>>();
		let next = (seen.len() == limit)
			.then(|| seen.last().map(|(scope, grantee, _)| (*scope, grantee.clone())))
			.flatten();
		GrantPage { items: live_views::<T>(seen), next }
	}

	/// See `EmrApi::records_of_patient`.
	pub fn records_page(patient: PatientId, after: Option<RecordId>, limit: u32) -> RecordPage {
		let keys = match after {
			Some(record) => {
				let start = PatientRecords::<T>::hashed_key_for(patient, record);
				PatientRecords::<T>::iter_key_prefix_from(patient, start)
			},
			None => PatientRecords::<T>::iter_key_prefix(patient),
		};
		let limit = bounded(limit);
		let items = keys.take(limit).collect::<Vec<_>>();
		let next = (items.len() == limit).then(|| items.last().copied()).flatten();
		RecordPage { items, next }
	}

	/// See `EmrApi::expiring_grants`.
	pub fn expiring_page(
		from: BlockNumberFor<T>,
		until: BlockNumberFor<T>,
		after: Option<(BlockNumberFor<T>, Expirable<T::AccountId>)>,
		limit: u32,
	) -> ExpiringPage<T::AccountId, BlockNumberFor<T>> {
		let first = [&Expiries::<T>::final_prefix()[..], &DueBlock::new(from).encode()].concat();
		let start = match after {
			Some((due, item)) => Expiries::<T>::hashed_key_for(DueBlock::new(due), item).max(first),
			None => first,
		};
		let limit = bounded(limit);
		let seen = Expiries::<T>::iter_keys_from(start)
			.take(limit)
			.take_while(|(due, _)| *due < DueBlock::new(until))
			.collect::<Vec<_>>();
		let next = (seen.len() == limit).then(|| seen.last().cloned()).flatten();
		let next = next.map(|(due, item)| (due.number().unique_saturated_into(), item));
		let grants = seen.into_iter().filter_map(|(_, item)| match item {
			Expirable::Grant(scope, grantee) => {
				Grants::<T>::get(scope, &grantee).map(|grant| view::<T>(scope, grantee, grant))
			},
			Expirable::Request(..) => None,
		});
		ExpiringPage { items: grants.collect(), next }
	}
}

/// Expired ones give nothing, and are not shown.
fn live_views<T: Config>(seen: Vec<(Scope, T::AccountId, Grant<T>)>) -> Vec<Views<T>> {
	let now = frame_system::Pallet::<T>::block_number();
	seen.into_iter()
		.filter(|(_, _, grant)| grant.is_live(now))
		.map(|(scope, grantee, grant)| view::<T>(scope, grantee, grant))
		.collect()
}

fn view<T: Config>(scope: Scope, grantee: T::AccountId, grant: Grant<T>) -> Views<T> {
	let Grant { granted_at, expires_at, purpose, key, payer, .. } = grant;
	GrantView { scope, grantee, granted_at, expires_at, purpose, key, payer }
}

fn bounded(limit: u32) -> usize {
	limit.clamp(1, MAX_PAGE) as usize
}
