//! Exports as spreadsheets read them: each door takes the same words, and codes stay what they are.

use crate::{
    app::TestApp,
    campaigns::{campaign, voucher},
    client::{Client, Reply},
};
use serde_json::{Value, json};
use svg2pdf::usvg::roxmltree::{Document, Node};

/// A cell of a workbook.
#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Empty,
    Text(String),
    Number(f64),
    Truth(bool),
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

/// The cells of a workbook's first sheet, row by row.
fn cells(reply: &Reply) -> Vec<Vec<Cell>> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    assert_eq!(reply.headers["content-type"], kind);
    let xml = unpacked(&reply.body, "xl/worksheets/sheet1.xml");
    let document = Document::parse(&xml).unwrap();
    let rows = document.descendants().filter(|node| is_named(node, "row"));
    rows.map(|row| {
        let mut cells = Vec::new();
        for cell in row.children().filter(|node| is_named(node, "c")) {
            let place = cell.attribute("r").unwrap();
            let column = place.bytes().next().unwrap() - b'A';
            cells.resize(usize::from(column), Cell::Empty);
            let said =
                cell.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect::<String>();
            cells.push(match cell.attribute("t") {
                Some("inlineStr") => Cell::Text(said),
                Some("b") => Cell::Truth(said == "1"),
                None | Some("n") => Cell::Number(said.parse().unwrap()),
                other => panic!("{other:?}"),
            });
        }
        cells
    })
    .collect()
}

fn is_named(node: &Node, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

/// A text file of an archive.
fn unpacked(archive: &[u8], name: &str) -> String {
    let number = |at: usize| usize::from(u16::from_le_bytes([archive[at], archive[at + 1]]));
    let headers = archive.windows(4).enumerate().filter(|(_, bytes)| *bytes == b"PK\x03\x04");
    let mut starts = headers.map(|(at, _)| at);
    let at = starts.find(|at| archive[at + 30..].starts_with(name.as_bytes())).expect(name);
    let packed = &archive[at + 30 + number(at + 26) + number(at + 28)..];
    String::from_utf8(miniz_oxide::inflate::decompress_to_vec(packed).unwrap()).unwrap()
}

/// A machine with a product, and the address of its products' export.
async fn product(a: &Client) -> String {
    let product = json!({"plu": 7, "name": "Café", "price": 250, "barcode": "0012345678905"});
    a.post("/machine/21/product", product).await.expect(201);
    "/export/product?columns=name,barcode,price&where[machine]=21".to_owned()
}

#[tokio::test]
async fn a_workbook_has_codes_and_barcodes_as_text() {
    let test = TestApp::new().await;
    let a = test.user("a").await;
    let uri = product(&a).await;
    let reply = a.get(&format!("{uri}&format=xlsx")).await;
    let header = vec![text("name"), text("barcode"), text("price")];
    assert_eq!(cells(&reply), [header, vec![text("Café"), text("0012345678905"), Cell::Number(250.0)]]);
    assert_eq!(reply.headers["content-disposition"], "attachment; filename=\"product.xlsx\"");
    // In CSV a barcode is what it is, too; what a spreadsheet makes of it is its own affair.
    assert_eq!(a.get(&uri).await.text(), "name,barcode,price\nCafé,0012345678905,250\n");

    let path = campaign(&a, json!({})).await;
    voucher(&a, &path, json!({"code": "000042", "value": 2, "text1": "=HYPERLINK(\"x\")"})).await;
    voucher(&a, &path, json!({"code": "1e5", "value": 1, "text1": "-1"})).await;
    let uri = "/voucher/export?columns=code,value,text1,text2,createdAt&sort=code&timezone=Asia/Yerevan";
    let rows = cells(&a.get(&format!("{uri}&format=xlsx&filename=Mai")).await);
    assert_eq!(rows[1][..3], [text("000042"), Cell::Number(2.0), text("=HYPERLINK(\"x\")")]);
    assert_eq!(rows[2][..4], [text("1e5"), Cell::Number(1.0), text("-1"), Cell::Empty]);
    let Cell::Text(created) = &rows[2][4] else { panic!("{rows:?}") };
    assert!(created.ends_with("+04:00"), "{created}");
}

#[tokio::test]
async fn a_workbook_has_every_row_of_a_large_export() {
    let test = TestApp::new().await;
    let a = test.user("a").await;
    let path = campaign(&a, json!({"type": "dynamic"})).await;
    let id: i64 = path.rsplit('/').next().unwrap().parse().unwrap();
    let draft = json!({"campaign": id, "type": "gift", "value": 5, "count": 5000, "text1": "x".repeat(400)});
    assert_eq!(a.post("/voucher", draft).await.status, 201);
    let rows = cells(&a.get("/voucher/export?columns=code,text1,balance&sort=code&format=xlsx").await);
    assert_eq!(rows.len(), 5_001);
    let listed = a.get("/voucher/export?columns=code&sort=code").await.text();
    let codes: Vec<_> = rows.iter().map(|row| row[0].clone()).collect();
    assert!(
        codes == listed.lines().map(text).collect::<Vec<_>>(),
        "not the codes that the same export has as CSV"
    );
    assert!(rows[1..].iter().all(|row| row[2] == Cell::Number(5.0)));
}

/// Every export, as the client sends for it with these parameters.
async fn each(a: &Client, product: &str, more: &str) -> Vec<(&'static str, Reply)> {
    let day = "period1[startDate]=2026-06-01+00:00:00&period1[endDate]=2026-06-02+00:00:00";
    let period = json!({"startDate": "2026-06-01 00:00:00", "endDate": "2026-06-02 00:00:00"});
    let report = if more.contains("format=") { more.to_owned() } else { format!("format=csv&{more}") };
    vec![
        ("resource", a.get(&format!("{product}&{more}")).await),
        ("vouchers", a.get(&format!("/voucher/export?columns=code,value&{more}")).await),
        ("sales", a.get(&format!("/report/transactions?{day}&{more}")).await),
        ("sales by their other name", a.get(&format!("/export/report?{day}&{more}")).await),
        ("report", a.post(&format!("/report/revenue?{report}"), json!({ "period1": period })).await),
    ]
}

#[tokio::test]
async fn every_export_is_written_as_it_was_asked_for() {
    let test = TestApp::builder().stopped_at("2026-06-03T10:00:00Z").build().await;
    let a = test.user("a").await;
    let product = product(&a).await;
    for (what, reply) in each(&a, &product, "").await {
        assert_eq!(reply.headers["content-type"], "text/csv; charset=utf-8", "{what}");
        let line = reply.text().lines().next().unwrap().to_owned();
        assert!(line.contains(',') && !line.contains(';'), "{what}: {line}");
    }
    for (what, reply) in each(&a, &product, "bom=true&separator=semicolon&filename=mine").await {
        assert_eq!(reply.body[..3], *b"\xef\xbb\xbf", "{what}");
        let line = reply.text().lines().next().unwrap().to_owned();
        assert!(line.contains(';') && !line.contains(','), "{what}: {line}");
        assert_eq!(reply.headers["content-disposition"], "attachment; filename=\"mine.csv\"", "{what}");
    }
    for (what, reply) in each(&a, &product, "format=xlsx&filename=mine").await {
        let header = cells(&reply).swap_remove(0);
        assert!(header.len() > 1 && header.iter().all(|cell| matches!(cell, Cell::Text(_))), "{what}");
        assert_eq!(reply.headers["content-disposition"], "attachment; filename=\"mine.xlsx\"", "{what}");
    }
    for (more, pointer) in [
        ("format=ods", "/format"),
        ("separator=pipe", "/separator"),
        ("bom=perhaps", "/bom"),
        ("format=xlsx&bom=true", "/bom"),
        ("format=xlsx&separator=tab", "/separator"),
        ("filename=../x", "/filename"),
    ] {
        for (what, reply) in each(&a, &product, more).await {
            assert_eq!(reply.status, 400, "{what}: {more}");
            reply.expect_problem(400, pointer);
        }
    }
}

#[tokio::test]
async fn a_report_is_a_workbook_for_who_accepts_one() {
    let test = TestApp::builder().stopped_at("2026-06-03T10:00:00Z").build().await;
    let a = test.user("a").await;
    let body: Value =
        json!({"period1": {"startDate": "2026-06-01 00:00:00", "endDate": "2026-06-02 00:00:00"}});
    let kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    let request = axum::http::Request::post("/report/revenue")
        .header("accept", format!("{kind}, text/csv;q=0.5"))
        .header("content-type", "application/json");
    let reply = a.send_raw(request.body(axum::body::Body::from(body.to_string())).unwrap()).await;
    assert_eq!(cells(&reply)[0][0], text("period"));
}
