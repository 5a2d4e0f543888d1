//! One number for a condition: a query of the inventory in a read-only transaction.

use super::session::{Sessions as Connections, Trouble};
use crate::world::{Known, Member};
use std::time::{Duration, Instant};
use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Client, Row};

/// A number of any numeric type of the server, as near as `f64` comes to it. `None` is NULL.
#[derive(Debug, PartialEq)]
struct Number(f64);

type Unreadable = Box<dyn std::error::Error + Sync + Send>;

impl<'a> FromSql<'a> for Number {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Unreadable> {
        let number = match *kind {
            Type::INT2 => f64::from(i16::from_sql(kind, raw)?),
            Type::INT4 => f64::from(i32::from_sql(kind, raw)?),
            #[allow(
                clippy::cast_precision_loss,
                reason = "a condition compares; nobody counts to 2^53 in one"
            )]
            Type::INT8 => i64::from_sql(kind, raw)? as f64,
            Type::OID => f64::from(u32::from_sql(kind, raw)?),
            Type::FLOAT4 => f64::from(f32::from_sql(kind, raw)?),
            Type::FLOAT8 => f64::from_sql(kind, raw)?,
            _ => numeric(raw).ok_or("its form is not known")?,
        };
        Ok(Self(number))
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT2, Type::INT4, Type::INT8, Type::OID, Type::FLOAT4, Type::FLOAT8, Type::NUMERIC]
            .contains(kind)
    }
}

/// `numeric` as the server sends it: count of digits of base 10000, weight of the first, sign, scale, digits (`numeric_send` in
/// the server's `numeric.c`). Through decimal text, so that the nearest `f64` comes out.
fn numeric(raw: &[u8]) -> Option<f64> {
    let mut words = raw.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let (count, weight, sign, _scale) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let minus = match sign {
        0x0000 => "",
        0x4000 => "-",
        0xD000 => return Some(f64::INFINITY),
        0xF000 => return Some(f64::NEG_INFINITY),
        // 0xC000, and whatever a later version invents.
        _ => return Some(f64::NAN),
    };
    let digits: Vec<u16> = words.collect();
    if digits.len() != usize::from(count) {
        return None;
    }
    let text: String = digits.iter().map(|digit| format!("{digit:04}")).collect();
    // The weight is signed; the point stands behind the first `weight + 1` digits.
    let behind = (i32::from(weight.cast_signed()) + 1) * 4 - i32::try_from(text.len()).ok()?;
    format!("{minus}{text:0>1}e{behind}").parse().ok()
}

/// The one value of the one row. The deadline covers connecting too, and cancels at the server.
///
/// A connection of its own each time: whatever the query leaves in its session (an advisory lock, a setting) goes with it. The
/// extended protocol takes one statement only, so nothing can end the transaction and go on writing.
pub(super) async fn number(
    connections: &Connections,
    at: &Member,
    query: &str,
    limit: Duration,
) -> Known<f64> {
    let begun = Instant::now();
    let session = match tokio::time::timeout(limit, connections.open(at, "mrctl//signal")).await {
        Ok(Ok(session)) => session,
        Ok(Err(trouble)) => return Known::Unknown(trouble.to_string()),
        Err(_) => return Known::Unknown(format!("no connection within {limit:?}")),
    };
    let left = limit.saturating_sub(begun.elapsed());
    match session.alone(left, |mut client| async move { ask(&mut client, query, left).await }).await {
        Ok(Ok(number)) => Known::Known(number),
        Ok(Err(why)) => Known::Unknown(why),
        Err(Trouble::Server(state, _)) if state == "57014" => {
            Known::Unknown(format!("the query did not end within {limit:?}"))
        }
        Err(Trouble::Late(_)) => Known::Unknown(format!("the query did not end within {limit:?}")),
        Err(trouble) => Known::Unknown(trouble.to_string()),
    }
}

/// What the query gives: an error of the server, or why its answer is no number.
async fn ask(
    client: &mut Client,
    query: &str,
    limit: Duration,
) -> Result<Result<f64, String>, tokio_postgres::Error> {
    let transaction = client.build_transaction().read_only(true).start().await?;
    // The second line of defence: should the cancel request not arrive, the server ends the query by itself.
    let milliseconds = limit.as_millis().max(1);
    transaction.batch_execute(&format!("SET LOCAL statement_timeout = {milliseconds}")).await?;
    // Prepared first: what gives no single number is not even begun.
    let statement = transaction.prepare(query).await?;
    let why = match (statement.params(), statement.columns()) {
        ([_, ..], _) => Some("the query has parameters, and nothing is given to it".to_owned()),
        ([], []) => Some("the query gives no column".to_owned()),
        ([], [column]) if Number::accepts(column.type_()) => None,
        ([], [column]) => Some(format!("the query gives a {}, not a number: cast it", column.type_())),
        ([], columns) => Some(format!("the query gives {} columns instead of one", columns.len())),
    };
    if let Some(why) = why {
        return Ok(Err(why));
    }
    let portal = transaction.bind(&statement, &[]).await?;
    // Two rows tell that there are several; the others need not be sent.
    let rows = transaction.query_portal(&portal, 2).await?;
    Ok(match rows.as_slice() {
        [] => Err("the query gives no row".into()),
        [row] => read(row),
        _ => Err("the query gives several rows instead of one".into()),
    })
}

fn read(row: &Row) -> Result<f64, String> {
    match row.try_get::<_, Option<Number>>(0) {
        Ok(Some(Number(number))) if number.is_finite() => Ok(number),
        Ok(Some(Number(number))) => Err(format!("the value is {number}")),
        Ok(None) => Err("the value is NULL".into()),
        Err(_) => Err("the value cannot be read".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn a_numeric_is_read_as_the_nearest_number() {
        // As version 15 sends 12345.678, -0.02, 0, 10000, 1e20 and what is no number.
        for (words, number) in [
            (&[3, 1, 0, 3, 1, 2345, 6780][..], 12345.678),
            (&[1, 0xFFFF, 0x4000, 2, 200], -0.02),
            (&[0, 0, 0, 0], 0.0),
            (&[1, 1, 0, 0, 1], 10000.0),
            (&[1, 5, 0, 0, 1], 1e20),
            (&[0, 0, 0xD000, 0], f64::INFINITY),
            (&[0, 0, 0xF000, 0], f64::NEG_INFINITY),
        ] {
            assert_eq!(numeric(&sent(words)), Some(number), "{words:?}");
        }
        assert!(numeric(&sent(&[0, 0, 0xC000, 0])).is_some_and(f64::is_nan));
        assert_eq!(numeric(&sent(&[2, 0, 0, 0, 1])), None, "cut");
        assert_eq!(numeric(&[0, 1]), None);
    }
}
