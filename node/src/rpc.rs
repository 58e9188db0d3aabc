//! The node's JSON-RPC beyond Substrate's own: account nonces, fees, proofs of finality.

use std::{error::Error, sync::Arc};

use caregrid_runtime::{AccountId, Balance, Nonce, opaque::Block};
use jsonrpsee::RpcModule;
use pallet_transaction_payment_rpc::{
	TransactionPayment, TransactionPaymentApiServer, TransactionPaymentRuntimeApi,
};
use sc_consensus_grandpa::{
	FinalityProofProvider, GrandpaJustificationStream, SharedAuthoritySet, SharedVoterState,
};
use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
use sc_rpc::SubscriptionTaskExecutor;
use sc_transaction_pool_api::TransactionPool;
use sp_api::ProvideRuntimeApi;
use sp_block_builder::BlockBuilder;
use sp_blockchain::{Error as BlockChainError, HeaderBackend, HeaderMetadata};
use sp_runtime::traits::{Block as BlockT, NumberFor};
use substrate_frame_rpc_system::{AccountNonceApi, System, SystemApiServer};

use crate::service::FullBackend;

/// What an outsider's questions about finality are answered from.
#[derive(Clone)]
pub struct Finality {
	pub authorities: SharedAuthoritySet<<Block as BlockT>::Hash, NumberFor<Block>>,
	pub votes: SharedVoterState,
	pub justifications: GrandpaJustificationStream<Block>,
	pub proofs: Arc<FinalityProofProvider<FullBackend, Block>>,
}

/// Everything that the node answers in addition.
pub fn extensions<C, P>(
	client: Arc<C>,
	pool: Arc<P>,
	finality: Finality,
	executor: SubscriptionTaskExecutor,
) -> Result<RpcModule<()>, Box<dyn Error + Send + Sync>>
where
	C: ProvideRuntimeApi<Block>
		+ HeaderBackend<Block>
		+ HeaderMetadata<Block, Error = BlockChainError>
		+ Send
		+ Sync
		+ 'static,
	C::Api: AccountNonceApi<Block, AccountId, Nonce>
		+ TransactionPaymentRuntimeApi<Block, Balance>
		+ BlockBuilder<Block>,
	P: TransactionPool + 'static,
{
	let mut module = RpcModule::new(());
	module.merge(System::new(client.clone(), pool).into_rpc())?;
	module.merge(TransactionPayment::new(client).into_rpc())?;
	let Finality { authorities, votes, justifications, proofs } = finality;
	module.merge(Grandpa::new(executor, authorities, votes, justifications, proofs).into_rpc())?;
	Ok(module)
}
