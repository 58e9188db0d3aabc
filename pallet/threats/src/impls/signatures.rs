//! Attack signatures.

use frame_support::{
	ensure,
	pallet_prelude::*,
	traits::{Consideration, Footprint},
};

use crate::*;

impl<T: Config> Pallet<T> {
	pub(crate) fn do_register_signature(
		organisation: T::AccountId,
		id: SignatureId,
		format: SignatureFormat,
		severity: Severity,
		pattern: Pattern<T>,
	) -> DispatchResult {
		ensure!(!pattern.is_empty(), Error::<T>::PatternEmpty);
		ensure!(!Signatures::<T>::contains_key(id), Error::<T>::SignatureExists);
		let footprint = Footprint::from_encodable((&organisation, id, format, severity, &pattern));
		let ticket = T::SignatureConsideration::new(&organisation, footprint)?;
		let registered_at = frame_system::Pallet::<T>::block_number();

		let signature = Signature {
			organisation: organisation.clone(),
			format,
			severity,
			pattern,
			registered_at,
			ticket,
		};
		Signatures::<T>::insert(id, signature);
		Self::deposit_event(Event::SignatureRegistered { signature: id, organisation, severity });
		Ok(())
	}
}
