//! Encodings that outside programs rely on.

use super::*;
use codec::Encode;

#[test]
fn a_record_is_encoded_as_written_down() {
	let info = RecordInfo { offset: 1, length: 2, format: RecordFormat::Dicom, ..record(RECORD) };
	let mut expected = vec![1; 16];
	expected.extend([7; 32]);
	expected.extend(1u64.to_le_bytes());
	expected.extend(2u64.to_le_bytes());
	expected.extend([4; 32]);
	expected.push(3);
	assert_eq!(expected, info.encode());
}

#[test]
fn formats_purposes_and_scopes_keep_their_numbers() {
	assert_eq!(
		vec![0, 1, 2, 3, 4],
		[
			RecordFormat::FhirR4Json,
			RecordFormat::FhirR4bJson,
			RecordFormat::FhirR5Json,
			RecordFormat::Dicom,
			RecordFormat::Binary,
		]
		.encode()
	);
	assert_eq!(
		vec![0, 1, 2, 3, 4, 5, 6],
		[
			Purpose::Treatment,
			Purpose::Payment,
			Purpose::Operations,
			Purpose::Research,
			Purpose::PublicHealth,
			Purpose::EmergencyTreatment,
			Purpose::PatientRequest,
		]
		.encode()
	);
	assert_eq!((0, 1), (Scope::Record(RECORD).encode()[0], Scope::Patient(PATIENT).encode()[0]));
}

#[test]
fn calls_keep_their_numbers() {
	use codec::Encode;
	let first = |call: Call<Test>| call.encode()[0];
	let operators = Operators::<Test>::default;
	let scope = Scope::Record(RECORD);
	assert_eq!(0, first(Call::register_organisation { operators: operators() }));
	assert_eq!(1, first(Call::set_operators { operators: operators() }));
	let patient = Call::register_patient { organisation: 1, patient: PATIENT, controller: None };
	assert_eq!(2, first(patient));
	assert_eq!(5, first(Call::set_encryption_key { public: Box::new([0; 1216]) }));
	let (object, info) = (object(OBJECT, 1), record(RECORD));
	assert_eq!(6, first(Call::store_emr { organisation: 1, object, record: info }));
	let records = Default::default();
	assert_eq!(7, first(Call::store_emr_batch { organisation: 1, object, records }));
	let grant = Call::grant_access {
		scope,
		grantee: BOB,
		expires_at: 1,
		purpose: Purpose::Treatment,
		key: KeyState::Pending,
	};
	assert_eq!(9, first(grant));
	assert_eq!(11, first(Call::revoke_access { scope, grantee: BOB }));
	let records = Default::default();
	assert_eq!(21, first(Call::move_records { organisation: 1, object, records }));
}
