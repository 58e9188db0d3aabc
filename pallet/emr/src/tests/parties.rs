use super::*;

fn operators(accounts: &[AccountId]) -> Operators<Test> {
	accounts.to_vec().try_into().expect("within MaxOperators; qed")
}

#[test]
fn an_organisation_registers_once_and_pays_a_deposit() {
	ExtBuilder::default().build_and_check(|| {
		assert_ok!(Emr::register_organisation(signed(ALICE), operators(&[BOB, APP])));

		assert!(held(ALICE) > 0);
		assert_eq!(
			emr_events(),
			vec![
				Event::OrganisationRegistered { organisation: ALICE },
				Event::OperatorsSet { organisation: ALICE, operators: operators(&[APP, BOB]) },
			]
		);
		assert_noop!(
			Emr::register_organisation(signed(ALICE), operators(&[])),
			Error::<Test>::OrganisationExists
		);
	});
}

#[test]
fn an_organisation_without_means_is_refused() {
	ExtBuilder::default().build_and_check(|| {
		assert_noop!(
			Emr::register_organisation(signed(POOR), operators(&[])),
			sp_runtime::TokenError::FundsUnavailable
		);
	});
}

#[test]
fn an_operator_stands_once() {
	ExtBuilder::default().build_and_check(|| {
		let twice = operators(&[BOB, APP, BOB]);
		assert_noop!(
			Emr::register_organisation(signed(ALICE), twice.clone()),
			Error::<Test>::DuplicateOperator
		);
		assert_noop!(Emr::set_operators(signed(HOSPITAL), twice), Error::<Test>::DuplicateOperator);
	});
}

#[test]
fn only_the_organisation_names_operators() {
	ExtBuilder::default().build_and_check(|| {
		assert_noop!(
			Emr::set_operators(signed(SIDECAR), operators(&[BOB])),
			Error::<Test>::OrganisationUnknown
		);
		assert_ok!(Emr::set_operators(signed(HOSPITAL), operators(&[BOB])));
		assert_eq!(
			emr_events(),
			vec![Event::OperatorsSet { organisation: HOSPITAL, operators: operators(&[BOB]) }]
		);
		assert!(Emr::is_operator(&HOSPITAL, &BOB));
		assert!(!Emr::is_operator(&HOSPITAL, &SIDECAR));
	});
}

#[test]
fn a_removed_operator_acts_no_more() {
	ExtBuilder::default().build_and_check(|| {
		assert_ok!(Emr::set_operators(signed(HOSPITAL), operators(&[APP])));
		assert_noop!(
			Emr::register_patient(signed(SIDECAR), HOSPITAL, PATIENT, None),
			Error::<Test>::NotOperator
		);
	});
}

#[test]
fn a_patient_is_registered_at_the_organisations_cost() {
	ExtBuilder::default().build_and_check(|| {
		let before = held(HOSPITAL);
		let post = Emr::register_patient(signed(SIDECAR), HOSPITAL, PATIENT, Some(ALICE))
			.expect("operator; qed");

		assert_eq!(post.pays_fee, frame_support::dispatch::Pays::No);
		assert!(held(HOSPITAL) > before);
		assert_eq!(held(SIDECAR), 0);
		assert_eq!(
			emr_events(),
			vec![Event::PatientRegistered {
				patient: PATIENT,
				organisation: HOSPITAL,
				controller: ALICE
			}]
		);
		assert_noop!(
			Emr::register_patient(signed(SIDECAR), CLINIC, PATIENT, None),
			Error::<Test>::PatientExists
		);
	});
}

#[test]
fn strangers_and_unknown_organisations_register_nobody() {
	ExtBuilder::default().build_and_check(|| {
		assert_noop!(
			Emr::register_patient(signed(BOB), HOSPITAL, PATIENT, None),
			Error::<Test>::NotOperator
		);
		assert_noop!(
			Emr::register_patient(signed(BOB), BOB, PATIENT, None),
			Error::<Test>::OrganisationUnknown
		);
	});
}

#[test]
fn a_new_encryption_key_is_a_new_version_for_the_same_deposit() {
	ExtBuilder::default().build_and_check(|| {
		assert_ok!(Emr::set_encryption_key(signed(BOB), Box::new([1; 1216])));
		let deposit = held(BOB);
		assert_ok!(Emr::set_encryption_key(signed(BOB), Box::new([2; 1216])));

		assert!(deposit > 0);
		assert_eq!(deposit, held(BOB));
		assert_eq!([2; 1216], EncryptionKeys::<Test>::get(BOB).expect("set; qed").public);
		assert_eq!(
			emr_events(),
			vec![
				Event::EncryptionKeySet { account: BOB, version: 1 },
				Event::EncryptionKeySet { account: BOB, version: 2 },
			]
		);
	});
}

#[test]
fn patients_are_registered_in_bulk_and_bad_ones_are_left_out() {
	ExtBuilder::default().patient(None).build_and_check(|| {
		let before = held(HOSPITAL);
		let patients =
			vec![([1; 32], None), (PATIENT, None), ([2; 32], Some(ALICE)), ([1; 32], None)];
		let patients = frame_support::BoundedVec::truncate_from(patients);
		let post = Emr::register_patients(signed(APP), HOSPITAL, patients).expect("operator; qed");

		assert_eq!(frame_support::dispatch::Pays::No, post.pays_fee);
		assert!(held(HOSPITAL) > before);
		let registered = |patient, controller| Event::PatientRegistered {
			patient,
			organisation: HOSPITAL,
			controller,
		};
		let rejected = |patient| Event::PatientRejected {
			patient,
			organisation: HOSPITAL,
			reason: RejectReason::PatientExists,
		};
		assert_eq!(
			vec![
				registered([1; 32], HOSPITAL),
				rejected(PATIENT),
				registered([2; 32], ALICE),
				rejected([1; 32]),
			],
			emr_events()
		);
		assert_noop!(
			Emr::register_patients(signed(APP), HOSPITAL, Default::default()),
			Error::<Test>::BatchEmpty
		);
	});
}

#[test]
fn a_bulk_goes_on_as_far_as_the_deposits_can_be_paid() {
	ExtBuilder::default().build_and_check(|| {
		assert_ok!(Emr::register_patient(signed(APP), HOSPITAL, PATIENT, None));
		let deposit = held(HOSPITAL) - held(CLINIC);
		let all = Balances::free_balance(CLINIC);
		assert_ok!(Balances::transfer_allow_death(signed(CLINIC), BOB, all - deposit - 10));
		emr_events();
		let patients =
			frame_support::BoundedVec::truncate_from(vec![([1; 32], None), ([2; 32], None)]);
		assert_ok!(Emr::register_patients(signed(APP), CLINIC, patients));
		assert!(matches!(
			emr_events()[..],
			[
				Event::PatientRegistered { .. },
				Event::PatientRejected { reason: RejectReason::DepositUnpayable, .. }
			]
		));
		assert_noop!(
			Emr::register_patient(signed(APP), CLINIC, [2; 32], None),
			Error::<Test>::DepositUnpayable
		);
	});
}

#[test]
fn a_patient_claims_what_was_offered_to_him() {
	ExtBuilder::default().patient(None).build_and_check(|| {
		assert_noop!(Emr::claim_patient(signed(ALICE), PATIENT), Error::<Test>::NotOffered);
		assert_noop!(
			Emr::offer_patient(signed(ALICE), PATIENT, ALICE),
			Error::<Test>::NotController
		);
		assert_ok!(Emr::offer_patient(signed(APP), PATIENT, BOB));
		assert_ok!(Emr::offer_patient(signed(APP), PATIENT, ALICE));
		assert_noop!(Emr::claim_patient(signed(BOB), PATIENT), Error::<Test>::NotOffered);
		emr_events();
		assert_ok!(Emr::claim_patient(signed(ALICE), PATIENT));
		let claimed =
			Event::PatientClaimed { patient: PATIENT, organisation: HOSPITAL, controller: ALICE };
		assert_eq!(vec![claimed], emr_events());
		assert_noop!(Emr::claim_patient(signed(ALICE), PATIENT), Error::<Test>::NotOffered);
		assert_noop!(Emr::claim_patient(signed(ALICE), [9; 32]), Error::<Test>::PatientUnknown);
	});
}

#[test]
fn a_claimed_patient_moves_to_a_new_wallet_without_the_organisation() {
	ExtBuilder::default().patient(Some(ALICE)).build_and_check(|| {
		assert_noop!(Emr::offer_patient(signed(APP), PATIENT, APP), Error::<Test>::NotController);
		assert_ok!(Emr::offer_patient(signed(ALICE), PATIENT, BOB));
		assert_eq!(
			vec![Event::PatientOffered { patient: PATIENT, organisation: HOSPITAL, to: BOB }],
			emr_events()
		);
		assert_ok!(Emr::claim_patient(signed(BOB), PATIENT));
		assert_noop!(
			Emr::offer_patient(signed(ALICE), PATIENT, ALICE),
			Error::<Test>::NotController
		);
	});
}
