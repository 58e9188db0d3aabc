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
		let footprint = Self::signature_footprint(pattern.len());
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
		Self::deposit_event(Event::SignatureRegistered {
			signature: id,
			organisation,
			format,
			severity,
		});
		Ok(())
	}

	pub(crate) fn do_retire_signature(
		organisation: T::AccountId,
		id: SignatureId,
	) -> DispatchResult {
		let signature = Signatures::<T>::get(id).ok_or(Error::<T>::SignatureUnknown)?;
		ensure!(signature.organisation == organisation, Error::<T>::SignatureForeign);
		signature.ticket.drop(&organisation)?;

		Signatures::<T>::remove(id);
		Self::deposit_event(Event::SignatureRetired { signature: id, organisation });
		Ok(())
	}

	/// What a signature with a text of `length` bytes occupies.
	pub(crate) fn signature_footprint(length: usize) -> Footprint {
		let text = Pattern::<T>::max_encoded_len();
		let rest = <(SignatureId, Signature<T>)>::max_encoded_len().saturating_sub(text);
		Footprint::from_parts(1, rest.saturating_add(length))
	}
}
