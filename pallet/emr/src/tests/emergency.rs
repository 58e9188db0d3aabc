use super::*;
use frame_support::dispatch::Pays;

const SCOPE: Scope = Scope::Patient(PATIENT);
const REASON: EmergencyReason = EmergencyReason::PatientUnresponsive;

fn with_record() -> ExtBuilder {
	ExtBuilder::default().patient(Some(ALICE)).record(RECORD).key(DOCTOR)
}

#[test]
fn a_member_reads_at_once_for_a_short_time_and_everybody_hears_of_it() {
	with_record().build_and_check(|| {
		let before = held(HOSPITAL);
		let post = Emr::open_emergency_access(signed(DOCTOR), SCOPE, REASON).expect("member; qed");

		assert_eq!(Pays::No, post.pays_fee);
		assert!(held(HOSPITAL) > before);
		assert_eq!(
			vec![Event::EmergencyAccessOpened {
				scope: SCOPE,
				patient: PATIENT,
				member: DOCTOR,
				reason: REASON,
				expires_at: 21,
				custodian: HOSPITAL,
				controller: ALICE,
			}],
			emr_events()
		);
		let grant = Emr::live_grant(RECORD, &DOCTOR).expect("open; qed");
		assert_eq!((Purpose::EmergencyTreatment, KeyState::Pending), (grant.purpose, grant.key));
		run_to_block(21);
		assert!(Emr::live_grant(RECORD, &DOCTOR).is_none());
	});
}

#[test]
fn the_controller_can_end_it() {
	with_record().build_and_check(|| {
		let before = held(HOSPITAL);
		assert_ok!(Emr::open_emergency_access(signed(DOCTOR), SCOPE, REASON));
		assert_ok!(Emr::revoke_access(signed(ALICE), SCOPE, DOCTOR));
		assert!(Emr::live_grant(RECORD, &DOCTOR).is_none());
		assert_eq!(before, held(HOSPITAL));
	});
}

#[test]
fn only_members_of_the_patients_organisation_may() {
	with_record().build_and_check(|| {
		for who in [ALICE, BOB, SIDECAR, HOSPITAL, CLINIC] {
			assert_noop!(
				Emr::open_emergency_access(signed(who), SCOPE, REASON),
				Error::<Test>::NotEmergencyMember
			);
		}
		assert_ok!(Emr::set_emergency_members(signed(HOSPITAL), Default::default()));
		assert_noop!(
			Emr::open_emergency_access(signed(DOCTOR), SCOPE, REASON),
			Error::<Test>::NotEmergencyMember
		);
		assert_noop!(
			Emr::open_emergency_access(signed(DOCTOR), Scope::Record([2; 16]), REASON),
			Error::<Test>::RecordUnknown
		);
		assert_noop!(
			Emr::open_emergency_access(signed(DOCTOR), Scope::Patient([2; 32]), REASON),
			Error::<Test>::PatientUnknown
		);
	});
}

#[test]
fn who_can_read_longer_anyway_breaks_no_glass() {
	with_record().build_and_check(|| {
		let grant = |expires_at| {
			let (purpose, key) = (Purpose::Treatment, inline(1));
			Emr::grant_access(signed(ALICE), SCOPE, DOCTOR, expires_at, purpose, key)
		};
		assert_ok!(grant(21));
		assert_noop!(
			Emr::open_emergency_access(signed(DOCTOR), SCOPE, REASON),
			Error::<Test>::AccessLive
		);
		assert_ok!(grant(20));
		assert_ok!(Emr::open_emergency_access(signed(DOCTOR), SCOPE, REASON));
		// The key that he has stays, and the organisation pays for it.
		assert_eq!(0, held(ALICE));
		assert_eq!(inline(1), Emr::live_grant(RECORD, &DOCTOR).expect("open; qed").key);
	});
}

#[test]
fn it_does_not_fail_because_others_have_access() {
	with_record().build_and_check(|| {
		for grantee in [BOB, APP] {
			let (purpose, key) = (Purpose::Treatment, KeyState::Pending);
			assert_ok!(Emr::grant_access(signed(ALICE), SCOPE, grantee, 5, purpose, key));
		}
		assert_ok!(Emr::open_emergency_access(signed(DOCTOR), SCOPE, REASON));
	});
}

#[test]
fn the_role_is_named_by_the_organisation_and_holds_each_once() {
	ExtBuilder::default().build_and_check(|| {
		let members = |list: &[AccountId]| {
			EmergencyMembers::<Test>::try_from(list.to_vec()).expect("within bound; qed")
		};
		assert_ok!(Emr::set_emergency_members(signed(HOSPITAL), members(&[BOB, ALICE])));
		assert_eq!(
			vec![Event::EmergencyMembersSet {
				organisation: HOSPITAL,
				members: members(&[ALICE, BOB])
			}],
			emr_events()
		);
		assert_noop!(
			Emr::set_emergency_members(signed(HOSPITAL), members(&[BOB, BOB])),
			Error::<Test>::DuplicateMember
		);
		assert_noop!(
			Emr::set_emergency_members(signed(SIDECAR), members(&[BOB])),
			Error::<Test>::OrganisationUnknown
		);
	});
}
