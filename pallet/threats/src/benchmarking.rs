//! Worst cases of the calls and of idle blocks.

use frame_benchmarking::v2::*;
use frame_support::{
	ensure,
	pallet_prelude::*,
	traits::{Consideration, EnsureOriginWithArg},
};
use frame_system::{RawOrigin, pallet_prelude::BlockNumberFor};
use sp_runtime::traits::Saturating;

use crate::*;

const ID: SignatureId = [0xff; 16];

/// The network with the longest encoding.
fn net(n: u32) -> IpNet {
	let mut address = [0xff; 16];
	address[..4].copy_from_slice(&n.to_be_bytes());
	IpNet::V6 { address, prefix: 128 }
}

fn latest_expiry<T: Config>() -> BlockNumberFor<T> {
	frame_system::Pallet::<T>::block_number().saturating_add(T::MaxBlockDuration::get())
}

/// An organisation that can pay for one block and one signature.
fn organisation<T: Config>(n: u32) -> T::AccountId {
	let organisation = account("organisation", n, 0);
	let pattern = T::MaxPatternLen::get() as usize;
	T::BlockConsideration::ensure_successful(&organisation, Pallet::<T>::block_footprint());
	let signature = Pallet::<T>::signature_footprint(pattern);
	T::SignatureConsideration::ensure_successful(&organisation, signature);
	organisation
}

fn operator<T: Config>(organisation: &T::AccountId) -> Result<T::RuntimeOrigin, BenchmarkError> {
	T::OperatorOrigin::try_successful_origin(organisation)
		.map_err(|()| BenchmarkError::Stop("no origin acts for an organisation"))
}

fn block<T: Config>(n: u32) -> Result<T::AccountId, BenchmarkError> {
	let organisation = organisation::<T>(n);
	let expires_at = latest_expiry::<T>();
	Pallet::<T>::do_block_ip(organisation.clone(), net(n), BlockReason::Policy, expires_at)?;
	Ok(organisation)
}

/// `n` blocks that have expired, each another organisation's, so that no balance is read twice.
fn expired_blocks<T: Config>(n: u32) -> Result<(), BenchmarkError> {
	for n in 0..n {
		block::<T>(n)?;
	}
	frame_system::Pallet::<T>::set_block_number(latest_expiry::<T>());
	ensure!(Expiries::<T>::iter_keys().count() == n as usize, "the blocks are not listed");
	Ok(())
}

fn pattern<T: Config>(length: u32) -> Pattern<T> {
	Pattern::<T>::truncate_from(alloc::vec![b'x'; length as usize])
}

fn assert_last<T: Config>(event: Event<T>) {
	frame_system::Pallet::<T>::assert_last_event(event.into());
}

#[benchmarks]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn block_ip() -> Result<(), BenchmarkError> {
		let organisation = organisation::<T>(0);
		let origin = operator::<T>(&organisation)?;
		let (net, reason, expires_at) = (net(0), BlockReason::Policy, latest_expiry::<T>());
		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, organisation.clone(), net, reason, expires_at);
		ensure!(Pallet::<T>::is_blocked(&net), "the network is not blocked");
		assert_last::<T>(Event::IpBlocked { net, organisation, reason, expires_at });
		Ok(())
	}

	#[benchmark]
	fn unblock_ip() -> Result<(), BenchmarkError> {
		let (organisation, net, expires_at) = (block::<T>(0)?, net(0), latest_expiry::<T>());
		let origin = operator::<T>(&organisation)?;
		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, organisation.clone(), net);
		ensure!(!Blocks::<T>::contains_key(net, &organisation), "the block is still there");
		assert_last::<T>(Event::IpUnblocked { net, organisation, expires_at });
		Ok(())
	}

	#[benchmark]
	fn cleanup_expired_blocks(
		n: Linear<1, { T::MaxCleanup::get() }>,
	) -> Result<(), BenchmarkError> {
		expired_blocks::<T>(n)?;
		#[extrinsic_call]
		_(RawOrigin::Signed(whitelisted_caller()), n);
		ensure!(Expiries::<T>::iter_keys().next().is_none(), "something is still listed");
		ensure!(Blocks::<T>::iter_keys().next().is_none(), "a block is still there");
		Ok(())
	}

	#[benchmark]
	fn register_signature(l: Linear<1, { T::MaxPatternLen::get() }>) -> Result<(), BenchmarkError> {
		let organisation = organisation::<T>(0);
		let origin = operator::<T>(&organisation)?;
		let (format, severity) = (SignatureFormat::Yara, Severity::Critical);
		let pattern = pattern::<T>(l);
		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, organisation.clone(), ID, format, severity, pattern.clone());
		let stored = Signatures::<T>::get(ID).map(|signature| signature.pattern);
		ensure!(stored == Some(pattern), "the signature is not there");
		assert_last::<T>(Event::SignatureRegistered {
			signature: ID,
			organisation,
			format,
			severity,
		});
		Ok(())
	}

	#[benchmark]
	fn retire_signature() -> Result<(), BenchmarkError> {
		let organisation = organisation::<T>(0);
		let origin = operator::<T>(&organisation)?;
		Pallet::<T>::do_register_signature(
			organisation.clone(),
			ID,
			SignatureFormat::Yara,
			Severity::Critical,
			pattern::<T>(T::MaxPatternLen::get()),
		)?;
		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, organisation.clone(), ID);
		ensure!(!Signatures::<T>::contains_key(ID), "the signature is still there");
		assert_last::<T>(Event::SignatureRetired { signature: ID, organisation });
		Ok(())
	}

	#[benchmark]
	fn on_idle(n: Linear<0, { T::MaxCleanup::get() }>) -> Result<(), BenchmarkError> {
		expired_blocks::<T>(n)?;
		#[block]
		{
			Pallet::<T>::do_idle(Weight::MAX);
		}
		ensure!(Expiries::<T>::iter_keys().next().is_none(), "something is still listed");
		ensure!(Blocks::<T>::iter_keys().next().is_none(), "a block is still there");
		Ok(())
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
