use super::*;

fn blocked(net: IpNet, organisation: AccountId, expires_at: u64) -> Event<Test> {
	Event::IpBlocked { net, organisation, reason: BlockReason::Scanning, expires_at }
}

#[test]
fn a_block_is_reported_and_lasts_until_its_expiry() {
	test(|| {
		assert_ok!(block(HOSPITAL, net(1), 5));
		assert_eq!(vec![blocked(net(1), HOSPITAL, 5)], threat_events());
		assert_eq!(BLOCK_DEPOSIT, held(HOSPITAL));

		System::set_block_number(4);
		assert!(Threats::is_blocked(&net(1)));
		assert!(!Threats::is_blocked(&net(2)));
		System::set_block_number(5);
		assert!(!Threats::is_blocked(&net(1)));
	});
}

#[test]
fn blocking_again_moves_the_expiry_for_the_same_deposit() {
	test(|| {
		for expires_at in [5, 50, 20] {
			assert_ok!(block(HOSPITAL, net(1), expires_at));
			assert_eq!(BLOCK_DEPOSIT, held(HOSPITAL));
		}
		assert_eq!(
			vec![
				blocked(net(1), HOSPITAL, 5),
				blocked(net(1), HOSPITAL, 50),
				blocked(net(1), HOSPITAL, 20)
			],
			threat_events()
		);
		System::set_block_number(19);
		assert!(Threats::is_blocked(&net(1)));
		System::set_block_number(20);
		assert!(!Threats::is_blocked(&net(1)));
	});
}

#[test]
fn an_expired_block_can_be_renewed_before_it_is_cleaned_up() {
	test(|| {
		assert_ok!(block(HOSPITAL, net(1), 5));
		System::set_block_number(9);
		assert_ok!(block(HOSPITAL, net(1), 10));
		assert!(Threats::is_blocked(&net(1)));
		assert_eq!(BLOCK_DEPOSIT, held(HOSPITAL));
	});
}

#[test]
fn an_unblocked_network_is_free_and_the_deposit_goes_back() {
	test(|| {
		assert_ok!(block(HOSPITAL, net(1), 5));
		assert_ok!(block(HOSPITAL, net(2), 5));
		threat_events();
		assert_ok!(unblock(HOSPITAL, net(1)));

		let unblocked = Event::IpUnblocked { net: net(1), organisation: HOSPITAL, expires_at: 5 };
		assert_eq!(vec![unblocked], threat_events());
		assert_eq!(BLOCK_DEPOSIT, held(HOSPITAL));
		assert!(!Threats::is_blocked(&net(1)));
		assert!(Threats::is_blocked(&net(2)));
		assert_noop!(unblock(HOSPITAL, net(1)), Error::<Test>::BlockUnknown);
	});
}

#[test]
fn an_expired_block_can_be_withdrawn_before_it_is_cleaned_up() {
	test(|| {
		assert_ok!(block(HOSPITAL, net(1), 5));
		System::set_block_number(7);
		assert_ok!(unblock(HOSPITAL, net(1)));
		assert_eq!(0, held(HOSPITAL));
		assert_eq!(0, Expiries::<Test>::iter_keys().count());
	});
}

#[test]
fn two_organisations_block_the_same_network_for_themselves() {
	test(|| {
		assert_ok!(block(HOSPITAL, net(1), 5));
		assert_ok!(block(CLINIC, net(1), 9));
		assert_ok!(unblock(HOSPITAL, net(1)));

		assert_eq!((0, BLOCK_DEPOSIT), (held(HOSPITAL), held(CLINIC)));
		assert!(Threats::is_blocked(&net(1)));
		System::set_block_number(9);
		assert!(!Threats::is_blocked(&net(1)));
	});
}

#[test]
fn a_network_has_one_spelling() {
	test(|| {
		let bad = [
			IpNet::V4 { address: [10, 0, 0, 1], prefix: 24 },
			IpNet::V4 { address: [10, 0, 0, 0], prefix: 33 },
			IpNet::V4 { address: [128, 0, 0, 0], prefix: 0 },
			IpNet::V6 { address: [0xff; 16], prefix: 127 },
			IpNet::V6 { address: [0; 16], prefix: 129 },
		];
		for net in bad {
			assert_noop!(block(HOSPITAL, net, 5), Error::<Test>::NetworkInvalid);
		}
		let good = [
			IpNet::V4 { address: [0; 4], prefix: 0 },
			IpNet::V4 { address: [10, 0, 0, 1], prefix: 32 },
			IpNet::V6 { address: [0; 16], prefix: 0 },
			IpNet::V6 { address: [0xff; 16], prefix: 128 },
		];
		for net in good {
			assert_ok!(block(HOSPITAL, net, 5));
		}
	});
}

#[test]
fn a_block_expires_within_bounds() {
	test(|| {
		assert_noop!(block(HOSPITAL, net(1), 1), Error::<Test>::ExpiryInPast);
		assert_noop!(block(HOSPITAL, net(1), 1_002), Error::<Test>::ExpiryTooFar);
		assert_ok!(block(HOSPITAL, net(1), 2));
		assert_ok!(block(HOSPITAL, net(1), 1_001));
	});
}

#[test]
fn who_cannot_pay_blocks_nothing() {
	test(|| {
		let unaffordable = sp_runtime::TokenError::FundsUnavailable;
		assert_noop!(block(POOR, net(1), 5), unaffordable);
		assert_noop!(register(POOR, 1, b"x"), unaffordable);
	});
}
