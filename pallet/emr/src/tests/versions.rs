use super::*;
use frame_support::traits::{GetStorageVersion, StorageVersion};

/// A state that another version of this code has written is not taken for ours.
#[test]
fn an_unknown_storage_version_is_refused() {
	ExtBuilder::default().build_and_check(|| {
		assert_eq!(StorageVersion::new(1), Emr::in_code_storage_version());
		for unknown in [0, 2, 9] {
			StorageVersion::new(unknown).put::<Emr>();
			assert_eq!(Err("1: unknown storage version".into()), Emr::do_try_state());
		}
		StorageVersion::new(1).put::<Emr>();
	});
}
