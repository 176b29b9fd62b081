// The first page of the report, and pictures with their captions, put into the frame that Snakemake draws.
"use strict";

{
    // By the name of a file without its data set and backbone: in reading order, under the question that it answers.
    const QUESTIONS = [
        ["How large are the errors?", ["errors", "errors_forces", "parity", "reaction_errors"]],
        ["Are the predicted standard deviations right?", ["calibration", "calibration_forces"]],
        ["Is the test a fair one?", ["leaks"]],
        ["How many frames are needed, and what does it cost?", ["learning", "learning_forces", "cost"]],
        ["Large data sets: sparse models", ["large", "large_learning", "large_learning_forces"]],
        ["Does it run? Molecular dynamics", ["molecular_dynamics", "dynamics"]],
        ["How does it work?", ["method", "alpha_sweep", "heatmap", "layers", "contributions", "kernel_pca", "spectrum"]],
        ["How were the networks trained?", ["history"]],
    ];
    const NARROW = window.matchMedia("(max-width: 48rem)");

    const isPicture = (path) => results[path].mime_type.startsWith("image/");
    const isPage = (path) => results[path].mime_type === "text/html";
    const stemOf = (path) => path.split("/").pop().split(".")[0].split("-")[0];
    const firstLabel = (path) => Object.values(results[path].labels || { file: path })[0];
    const otherLabels = (path) => Object.entries(results[path].labels || {}).slice(1)
        .filter(([name, text]) => text !== "all").map(([name, text]) => text).join(", ");

    function show(app, path) {
        app.setView({
            content: isPicture(path) ? "img" : "html",
            contentPath: results[path].data_uri,
            resultPath: path,
        });
    }

    function caption(path) {
        return e("div", { className: "caption", dangerouslySetInnerHTML: { __html: results[path].caption || "" } });
    }

    // A figure; where there is one for each data set or backbone, buttons beneath it choose.
    class Card extends React.Component {
        constructor(props) {
            super(props);
            this.state = { path: props.paths[0] };
        }

        render() {
            const { app, paths } = this.props;
            const path = this.state.path;
            const buttons = paths.map((other) => e(
                "button",
                { key: other, "aria-pressed": other === path, onClick: () => this.setState({ path: other }) },
                otherLabels(other)
            ));
            return e(
                "figure",
                {},
                e("button", { className: "thumbnail", onClick: () => show(app, path), title: "Enlarge" },
                    e("img", { src: results[path].data_uri, alt: firstLabel(path), loading: "lazy" })),
                e("figcaption", {},
                    e("h3", {}, firstLabel(path)),
                    paths.length > 1 ? e("div", { className: "choice" }, buttons) : null,
                    caption(path))
            );
        }
    }

    function pictures(app) {
        const left = new Map();
        const place = (path) => datasets.indexOf(path.split("/").at(-2));
        const paths = Object.keys(results).filter(isPicture);
        paths.sort((a, b) => place(a) - place(b) || a.localeCompare(b));
        for (const path of paths) {
            const stem = stemOf(path);
            left.set(stem, [...(left.get(stem) || []), path]);
        }
        const sections = QUESTIONS.map(([question, stems]) => [question, stems.filter((stem) => left.has(stem))]);
        const known = new Set(QUESTIONS.flatMap(([question, stems]) => stems));
        sections.push(["More figures", [...left.keys()].filter((stem) => !known.has(stem))]);
        return sections.filter(([question, stems]) => stems.length > 0).map(([question, stems]) => e(
            "section",
            { key: question },
            e("h2", {}, question),
            e("div", { className: "cards" },
                stems.map((stem) => e(Card, { key: stem, app: app, paths: left.get(stem) })))
        ));
    }

    function tables(app) {
        const paths = Object.keys(results).filter(isPage);
        paths.sort((a, b) => firstLabel(a).localeCompare(firstLabel(b)));
        return e(
            "section",
            {},
            e("h2", {}, "Tables"),
            e("ul", { className: "tables" }, paths.map((path) => e(
                "li",
                { key: path },
                e("button", { onClick: () => show(app, path) }, firstLabel(path)),
                caption(path)
            )))
        );
    }

    class Overview extends React.Component {
        render() {
            const app = this.props.app;
            return e(
                "main",
                { className: "overview" },
                e("div", { dangerouslySetInnerHTML: { __html: overview } }),
                pictures(app),
                tables(app)
            );
        }
    }

    // A figure at full width under its title, above its caption.
    class Picture extends React.Component {
        render() {
            const { contentPath, resultPath } = this.props.app.state;
            const known = resultPath in results && results[resultPath].data_uri === contentPath;
            const title = known ? [firstLabel(resultPath), otherLabels(resultPath)].filter(Boolean).join(", ") : "";
            return e(
                "main",
                { className: "overview picture" },
                known ? e("h1", {}, title) : null,
                e("div", { className: "p-3" }, e("img", { src: contentPath, alt: title })),
                known ? caption(resultPath) : null
            );
        }
    }

    const contentOf = ContentDisplay.prototype.renderContent;
    ContentDisplay.prototype.renderContent = function () {
        const app = this.props.app;
        switch (app.state.content) {
            case "metadata":
                return e(Overview, { app: app });
            case "img":
                return e(Picture, { app: app, key: app.state.contentPath });
            default:
                return contentOf.call(this);
        }
    };

    const menuOf = Menu.prototype.render;
    Menu.prototype.render = function () {
        const [heading, ...items] = menuOf.call(this).props.children;
        const open = () => this.props.app.setView({ content: "metadata" });
        return e("ul", {}, heading, this.getMenuItem("Overview", "home", open), ...items);
    };

    // On a narrow screen the menu lies over the content: it begins hidden, and hides when something is chosen.
    Navbar.prototype.componentDidMount = function () {
        const app = this.props.app;
        const setView = app.setView;
        app.setView = (view) => setView({ hideNavbar: NARROW.matches && view.content !== undefined, ...view });
        app.setView({ content: app.state.content });
    };

    // Snakemake opens on these, and its home button leads there.
    metadata = { overview: "" };
}
